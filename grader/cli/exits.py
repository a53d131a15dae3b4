"""What the command's exit codes mean."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, also documented in the README."""

    DONE = 0
    ATTENTION = 1
    """Some submissions need a person's attention, or a grade is below `--fail-under`."""
    USAGE = 2
    OUR_FAULT = 3
    INTERRUPTED = 130
