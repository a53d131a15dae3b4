"""Finds out how well this machine walls student code in, without grading anything."""

from __future__ import annotations

import os
import shutil
import sys

from grader.errors import GraderError
from grader.executors.rooms import QUIET, scratch_folder
from grader.executors.warm import WarmProcess
from grader.model import Limits
from grader.walls import Walls


def inspect() -> Walls:
    """Start a worker process, have it look around and attack, and end it.

    Raises:
        GraderError: no worker can be started here.
    """
    require_linux()
    scratch = str(scratch_folder())
    os.chmod(scratch, 0o711)
    try:
        worker = WarmProcess("worker", environment=QUIET, arguments=[scratch, str(Limits().memory)])
        try:
            worker.wait()
        finally:
            worker.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert worker.walls is not None
    return worker.walls


def require_linux() -> None:
    """Raise `GraderError` on a system that has none of what grading is built on."""
    if sys.platform != "linux":
        raise GraderError(
            f"grading needs Linux; this is {sys.platform}",
            hint="run it in a virtual machine, a container, or on Windows in WSL2",
        )
