"""An automated grader for attention exercises: verdicts that cannot be forged, feedback that names the mistake.

In a notebook, `%load_ext grader` and then `%check self-attention`, or `grader.check(SelfAttention)`, run the public
checks on what the kernel holds.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

_GRADING = "The public checks are not run while this is graded."


def check(target: Any = None, assignment: str | None = None, *, assignments: str | None = None) -> None:
    """Run the public checks on a class, and show what comes of it.

    Args:
        target: the class; without one, whatever there is in this notebook to check.
        assignment: its id, where the class's name does not tell.
        assignments: the folder with the assignments; by default the nearest one called so.
    """
    if (extension := _extension()) is None:
        print(_GRADING)
    else:
        extension.check(target, assignment, assignments=assignments)


def load_ipython_extension(shell: Any) -> None:
    """Make `%check` known: this is what `%load_ext grader` calls."""
    extension = _extension()
    magic = (lambda _: print(_GRADING)) if extension is None else extension.magic
    shell.register_magic_function(magic, "line", "check")


def _extension() -> Any:
    """The extension; None where this is the process in which a submission is graded, its self-check cell included."""
    if "grader.worker.kernel" in sys.modules:
        return None
    return importlib.import_module("grader.extension")  # by its name: all of ours imports this, so this imports nothing
