"""What a rehearsal prints: numbered steps with details."""

import time

from aws import expect


class Report:
    def __init__(self):
        self.steps = 0
        self.lines = []

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    def step(self, title):
        self.steps += 1
        self.say(f"\n{self.steps:2}. {title}")

    def detail(self, text, since=None, failed=False):
        took = "" if since is None else f"{time.monotonic() - since:5.1f} s"
        self.say(f"    {'FAILED' if failed else took:>7}  {text}")

    def refused(self, story: str, output: str, why: str):
        expect(why in output, f"{story}: must be refused with {why}, and the response was: {output or 'yes'}")
        self.detail(f"refused: {story}")
