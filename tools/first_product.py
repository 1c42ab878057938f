#!/usr/bin/env python3
"""Measures the time from a clone to the first product in a browser, with README.md's commands, and writes it there."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAGE = Path("README.md")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("error: Chromium is missing: apt-get install chromium")
    text = PAGE.read_text()
    start, create_and_find = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)[:2]
    url = re.findall(r"http://\S+", create_and_find)[-1]
    since = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="product-catalog-") as scratch:
        clone = Path(scratch, "clone")
        subprocess.run(["git", "clone", "--quiet", ".", clone], check=True)
        # cargo downloads everything again.
        environment = {**os.environ, "CARGO_HOME": f"{scratch}/cargo", "HOME": scratch}
        environment["RUSTUP_HOME"] = os.environ.get("RUSTUP_HOME", f"{os.environ['HOME']}/.rustup")
        server = subprocess.Popen(start, shell=True, cwd=clone, env=environment, start_new_session=True)
        try:
            while subprocess.run(["bash", "-ec", create_and_find], capture_output=True).returncode != 0:
                if server.poll() is not None:
                    sys.exit("error: README.md's first command has exited")
                time.sleep(1)
            options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={scratch}/browser"]
            page = subprocess.run([browser, *options, "--dump-dom", url], check=True, capture_output=True, text=True)
            if "Amazon Echo" not in page.stdout:
                sys.exit(f"error: the browser shows no product: {page.stdout}")
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        took = time.monotonic() - since
    minutes = f"{took // 60:.0f} min {took % 60:.0f} s"
    begin, end = "<!-- make first-product -->", "<!-- end -->"
    PAGE.write_text(re.sub(f"{begin}.*?{end}", f"{begin}{minutes}{end}", text))
    print(f"From the clone to the first product in the browser: {minutes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
