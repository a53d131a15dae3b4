"""Notebooks as they are handed in: the code of their cells as one piece of Python whose lines can be found again.

Nothing of a notebook is run here. A notebook is as untrusted as a module: it is read within limits, whatever is in it,
and ends as a `Notebook` or as a `NotANotebookError` with a sentence for whoever handed it in.
"""

from __future__ import annotations

from grader.notebooks.documents import MAX_BYTES, MAX_CELLS
from grader.notebooks.foreign import NotANotebookError
from grader.notebooks.reading import MAX_CODE, Notebook, broken_cells, located, read

__all__ = [
    "MAX_BYTES",
    "MAX_CELLS",
    "MAX_CODE",
    "NotANotebookError",
    "Notebook",
    "broken_cells",
    "located",
    "read",
]
