#!/usr/bin/env python3
"""Runs the parts of `make test` or `make verify`, three at a time, and prints how long each took.

tools/parts.toml lists them. A part runs after the parts that it depends on, and only if one of its inputs has changed
since it last passed. Usage: tools/parts.py test|verify
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

# Checked before the imports that older versions lack.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"error: python3 is {sys.version.split()[0]}, must be 3.11 or newer")

import tomllib

ROOT = Path.cwd()
STATE = ROOT / "target/parts"
# A compilation does not always use two processors, and many tests wait.
AT_ONCE = 3


class Jobs:
    """A job server for the parts that compile: together, they compile as many crates at a time as there are processors.

    With twice as many, two builds on two processors take a sixth longer. Cargo understands the protocol of
    <https://www.gnu.org/software/make/manual/html_node/POSIX-Jobserver.html>: each build has one job, and takes others
    from a pipe. It keeps them as long as it has work, so the pipe must not contain the jobs of builds that start later.
    """

    def __init__(self, builds: int):
        self.builds = builds
        self.processors = processors()
        self.pipe = os.pipe()
        tokens, returned = self.pipe
        self.flags = f"-j --jobserver-auth={tokens},{returned}"
        os.write(returned, b"+" * max(0, self.processors - builds))

    def end(self):
        """Gives the job of a build that has ended to the others."""
        self.builds -= 1
        if self.builds < self.processors:
            os.write(self.pipe[1], b"+")


@dataclass
class Part:
    """One row of the table: a command, by default the target of the Makefile with the part's name."""

    name: str
    command: str = ""
    # What it reads, as git pathspecs. A part without inputs builds something for other parts, and always runs.
    inputs: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    # Optional programs, each with its Debian package.
    needs: dict[str, str] = field(default_factory=dict)
    # Whether it measures, and so must run alone.
    alone: bool = False
    # Whether it compiles with Cargo, beside others that do.
    compiles: bool = False
    # Its place in the list, from 0.
    place: int = 0
    result: str = ""
    seconds: float = 0.0

    def __post_init__(self):
        self.command = self.command or f"make --no-print-directory {self.name}"
        self.log = STATE / f"{self.name}.log"
        self.state = STATE / f"{self.name}.json"

    def key(self) -> str:
        """A hash of everything that the part depends on."""
        always = ["Makefile", "rust-toolchain.toml", "tools"]
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *always, *self.inputs]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        digest = hashlib.sha256(self.command.encode())
        for name in sorted(set(listed.split("\0")) - {""}):
            file = ROOT / name
            content = (
                str(file.readlink()).encode() if file.is_symlink() else file.read_bytes() if file.exists() else b""
            )
            digest.update(f"{name} {len(content)} ".encode() + content)
        return digest.hexdigest()

    def last(self) -> dict:
        return json.loads(self.state.read_text()) if self.state.exists() else {}

    def run(self, jobs: Jobs, running: dict, interrupted: Event):
        """Sets `result` and `seconds`; the command's output goes to the log. If interrupted, waits for its clean-up."""
        key = self.key() if self.inputs else None
        last = self.last()
        if key and last.get("key") == key:
            self.result, self.seconds = "unchanged", last["seconds"]
            return
        self.state.unlink(missing_ok=True)
        began = time.monotonic()
        # The command and all that it starts hold one end of a pipe. The other ends when they have ended.
        ended, held = os.pipe()
        with self.log.open("w") as log, os.fdopen(ended) as all_ended:
            # Parts that others wait for have priority, and then those that are earlier in the list. In one session,
            # because Linux divides the processors among sessions first (sched_autogroup), whatever their priorities.
            niceness = self.place + (5 if self.inputs else 0)
            process = subprocess.Popen(
                ["nice", f"-n{niceness}", "sh", "-c", self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                pass_fds=[held, *jobs.pipe],
                env=environment() | ({"CARGO_MAKEFLAGS": jobs.flags} if self.compiles else {}),
            )
            os.close(held)
            running[self.name] = process
            if interrupted.is_set():
                os.killpg(process.pid, signal.SIGTERM)
            code = process.wait()
            del running[self.name]
            if interrupted.is_set():
                all_ended.read()
        self.seconds = time.monotonic() - began
        self.result = "passed" if code == 0 else "failed"
        if code == 0:
            self.state.write_text(json.dumps({"key": key, "seconds": self.seconds}))


def missing(programs: dict[str, str]) -> dict[str, str]:
    """The programs that are not on PATH: `a|b` is present if a or b is."""
    return {names: how for names, how in programs.items() if not any(map(shutil.which, names.split("|")))}


def processors() -> int:
    """How many this process can use, as Cargo counts them: a container may have a quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    file = Path("/sys/fs/cgroup/cpu.max")
    quota, period = file.read_text().split() if file.exists() else ("max", "")
    return usable if quota == "max" else max(1, min(usable, int(quota) // int(period)))


def environment() -> dict[str, str]:
    """Our environment, without the job server of a parent `make -j`, whose pipes are closed here."""
    of_make = ("CARGO_MAKEFLAGS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    return {name: value for name, value in os.environ.items() if name not in of_make}


def load(plan: str) -> tuple[dict[str, str], list[Part]]:
    """The prerequisites and the parts of a plan. `verify` also has those of `test`, some with another command."""
    tables = tomllib.loads((ROOT / "tools/parts.toml").read_text())
    chosen = tables["test"]
    if plan == "verify":
        full = tables["verify"]
        chosen = {name: chosen[name] for name in chosen if name not in full} | full
    parts = [Part(name, **settings, place=place) for place, (name, settings) in enumerate(chosen.items())]
    return tables["prerequisites"], parts


def play(parts: list[Part], running: dict):
    """Runs all parts, three at a time but measuring ones alone, in the order of the list when several are ready."""
    by_name = {part.name: part for part in parts}
    waiting = [part for part in parts if not part.result]
    started: dict[Future, Part] = {}
    jobs, interrupted = Jobs(sum(part.compiles for part in parts)), Event()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            while waiting or started:
                for part in list(waiting):
                    before = [by_name[name].result for name in part.after]
                    if any(result in ("failed", "not run", "skipped") for result in before):
                        part.result = "not run"
                    elif len(started) < (1 if part.alone else AT_ONCE) and all(before):
                        started[pool.submit(part.run, jobs, running, interrupted)] = part
                    else:
                        if part.alone:
                            break
                        continue
                    waiting.remove(part)
                    if part.alone:
                        break
                done, _ = wait(started, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    part = started.pop(future)
                    if part.compiles:
                        jobs.end()
                    report(part)
        finally:
            interrupted.set()
            for process in list(running.values()):
                os.killpg(process.pid, signal.SIGTERM)


def report(part: Part):
    if part.result != "unchanged":
        print(f"{part.result:>7} {span(part.seconds):>12}  {part.name}", flush=True)
    if part.result == "failed":
        print("".join(part.log.read_text(errors="replace").splitlines(keepends=True)[-60:]))
        print(f"The complete output of {part.name} is in {part.log.relative_to(ROOT)}.\n", flush=True)


def span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:2} s" if minutes else f"{rest} s"


def table(parts: list[Part], seconds: float) -> str:
    """The result and the duration of each part, as Markdown."""
    rows = [("part", "result", "duration"), ("---", "---", "---:")]
    for part in parts:
        took = "" if part.result in ("skipped", "not run") else span(part.seconds)
        result = part.result
        if result == "unchanged":
            result, took = "not run: no input has changed", f"({took})"
        rows.append((part.name, result, took))
    rows.append(("all, three at a time", "", span(seconds)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows
    )


def main(plan: str) -> int:
    prerequisites, parts = load(plan)
    absent = missing(prerequisites)
    if not importlib.util.find_spec("ensurepip"):
        absent["python3's venv"] = "apt-get install python3-venv"
    skipped = {part.name: missing(part.needs) for part in parts}
    how = [
        f"{name} needs {' and '.join(programs)}: apt-get install {' '.join(dict.fromkeys(programs.values()))}"
        for name, programs in skipped.items()
        if programs
    ]
    errors = [f"{program} is missing: {command}" for program, command in absent.items()]
    if os.environ.get("CI") == "true":
        errors += how
    if errors:
        print("\n".join(f"error: {error}" for error in errors), file=sys.stderr)
        return 1

    STATE.mkdir(parents=True, exist_ok=True)
    for part in parts:
        part.result = "skipped" if skipped[part.name] else ""
        if plan == "verify":
            part.state.unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        play(parts, {})
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130

    print(f"\n{table(parts, time.monotonic() - began)}\n")
    for line in how:
        print(f"skipped: {line}")
    passed = sum(part.result in ("passed", "unchanged") for part in parts)
    skips = sum(part.result == "skipped" for part in parts)
    print(f"{passed} passed, {len(parts) - passed - skips} failed, {skips} skipped")
    return int(passed + skips < len(parts))


if __name__ == "__main__":
    if sys.argv[1:] not in (["test"], ["verify"]):
        sys.exit("usage: tools/parts.py test|verify")
    sys.exit(main(sys.argv[1]))
