#!/usr/bin/env python3
"""Draws what a rehearsal prints, in short: make rehearse | scripts/picture.py docs/rehearsal.svg"""

import re
import sys

from rich.console import Console
from rich.text import Text

TELLING = re.compile(r"^(A push|Rehearsed| *\d+\. |.*(refused: |rule matches|has 256 MB|secrets were|actions are|no stack is left|\"id\"))")

console = Console(record=True, width=118, file=open("/dev/null", "w"), highlight=False)
for line in sys.stdin.read().splitlines():
    if TELLING.match(line):
        console.print(Text(line.rstrip(), style="bold" if re.match(r" *\d+\. ", line) else ""), overflow="ellipsis", no_wrap=True)
console.save_svg(sys.argv[1], title="make rehearse")
