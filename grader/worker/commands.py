"""The shell commands of a notebook's cells: none is run.

No program can be started inside the walls, and nothing that is graded needs one. A cell that wants to is told so on its
standard error and goes on, as if the command had said nothing: most of these lines install packages, look around, or
fetch data, and what is graded stands below them.
"""

from __future__ import annotations

import re
import sys
from typing import Final

NO_INSTALL: Final = "Nothing was installed: there is no network while grading. The usual packages are there already.\n"
NO_COMMAND: Final = "Shell commands are not run while grading.\n"
MANAGERS: Final = ("pip", "conda", "mamba", "micromamba", "uv")
"""Those that are magics too."""
INTERPRETERS: Final = ("bash", "sh", "script", "perl", "ruby", "pypy", "python", "python2", "python3", "system", "sx")
"""Magics that give a whole cell to another program."""

_INSTALLATION: Final = re.compile(
    r"(?:^|[\s/&|;(])(?:pip[\d.]*|uv|conda|mamba|micromamba|apt|apt-get|brew)['\"]?\s"
    r"(?:[^&|;\n]*\s)?(?:install|update|upgrade|add|sync|create)\b"
)


def refuse(command: str) -> None:
    """Say that a command is not run."""
    print(NO_INSTALL if _INSTALLATION.search(command) else NO_COMMAND, end="", file=sys.stderr, flush=True)
