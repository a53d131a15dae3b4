"""The shell commands of a notebook's cells: nothing is installed, nothing can be read, and output is shown as it comes.

A command writes to a terminal, so that what programs say keeps its order, and reads from nowhere, because nobody is
there to type. Packages are not installed: that part of a command is left out and the rest of it is run.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import tty
from collections.abc import Iterator
from typing import Final

NO_INSTALL: Final = "Nothing was installed: there is no network while grading. The usual packages are there already.\n"
MANAGERS: Final = ("conda", "mamba", "micromamba", "uv")
"""Those that are magics too."""

_REST: Final = r"(?:[^&|;\n)]|(?<=>)&|&(?=>))*"
"""What belongs to one simple command; `2>&1` does."""

_INSTALLATION: Final = re.compile(
    r"(^|[&|;(\n])\s*"
    r"(?:sudo\s+(?:-\S+\s+)*)?"
    r"(?:(?:\S*python[\d.]*|'[^']*'|\"[^\"]*\")\s+(?:-\w\s+)*?-m\s+)?"
    r"(?:\S*/)?(?:pip[\d.]*|uv|conda|mamba|micromamba|apt|apt-get|brew)\s"
    rf"{_REST}\b(?:install|update|upgrade|add|sync|create)\b{_REST}"
)


def without_installing(command: str) -> str:
    """The command with `true` in the place of whatever would install something."""
    return _INSTALLATION.sub(r"\1true ", command)


def run(command: str) -> int:
    """Run a shell command and print what it says. Returns its exit code; for a signal, the signal's negative number.

    An interrupted command is killed with all that it started.
    """
    if command.rstrip().endswith("&"):
        raise OSError("Background processes not supported.")  # IPython's own words
    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)  # lines end as the program ends them
        process = subprocess.Popen(
            command, shell=True, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, start_new_session=True
        )
    finally:
        os.close(theirs)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        for piece in _pieces(ours, process.pid):
            print(decoder.decode(piece), end="", flush=True)
        code = process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        os.close(ours)
    return 128 - code if code > 128 else code


def _pieces(terminal: int, pid: int) -> Iterator[bytes]:
    """What is written to the terminal until the process has ended, even where others still hold it open."""
    ended = os.pidfd_open(pid)
    try:
        while terminal in select.select([terminal, ended], [], [])[0]:
            try:
                yield os.read(terminal, 1 << 16)
            except OSError:
                return  # nobody holds the other end
    finally:
        os.close(ended)
