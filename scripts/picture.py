#!/usr/bin/env python3
"""Draws a summary of what `make rehearse` printed: scripts/picture.py docs/rehearsal.svg <output"""

import io
import re
import sys

from rich.console import Console
from rich.text import Text

STEP = re.compile(r" *\d+\. ")
TELLING = re.compile(
    r"A push|One build|Rehearsed|.*(refused: |rule matches|has 256 MB|secrets were|actions are|no stack is left|\"id\""
    r"|Changes: |client got|responses were wrong)"
)

console = Console(record=True, width=118, file=io.StringIO(), highlight=False)
for line in sys.stdin.read().splitlines():
    step = STEP.match(line)
    if step or TELLING.match(line):
        console.print(Text(line.rstrip(), style="bold" if step else ""), overflow="ellipsis", no_wrap=True)
console.save_svg(sys.argv[1], title="make rehearse")
