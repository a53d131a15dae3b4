"""Files that are called `.ipynb` and are something else, or were damaged on the way: what they are, and what to do."""

from __future__ import annotations

import ast
import json
import re
import warnings

from grader.text import clean

_LONGEST_SCRIPT = 2 << 20

_SIGNATURES = {
    b"PK\x03\x04": "it is a zip archive, not a notebook; unpack it and hand in the notebook that is in it",
    b"\x1f\x8b": "it is a gzip archive, not a notebook; unpack it and hand in the notebook that is in it",
    b"7z\xbc\xaf": "it is a 7-Zip archive, not a notebook; unpack it and hand in the notebook that is in it",
    b"Rar!": "it is a RAR archive, not a notebook; unpack it and hand in the notebook that is in it",
    b"%PDF-": "it is a PDF document, not a notebook; hand in the notebook it was made from",
    b"\xd0\xcf\x11\xe0": "it is an Office document, not a notebook; hand in the notebook itself",
    b"\x89PNG": "it is an image, not a notebook; hand in the notebook itself",
    b"\xff\xd8\xff": "it is an image, not a notebook; hand in the notebook itself",
    b"GIF8": "it is an image, not a notebook; hand in the notebook itself",
    b"version https://git-lfs": (
        "it is a pointer of Git LFS, not the notebook; fetch the notebook with `git lfs pull` and hand that in"
    ),
}
_TEXTS = (
    (
        re.compile(r"<(?:!doctype|html|head|body|!--)", re.IGNORECASE),
        "it is a web page (HTML), not a notebook; download the notebook itself (the raw file) and hand that in",
    ),
    (
        re.compile(r"<\?xml|<svg", re.IGNORECASE),
        "it is an XML document, not a notebook; hand in the notebook itself",
    ),
)
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: |$)", re.MULTILINE)
_MERGE = "it holds a merge conflict of Git (line {line}); resolve it, save the notebook in Jupyter and hand it in again"


class NotANotebookError(Exception):
    """A file that cannot be graded as a notebook. `reason` is a sentence: what it is, and what to do about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def refuse_what_is_something_else(content: bytes) -> None:
    """Look at the first bytes.

    Raises:
        NotANotebookError: they say that the file is no JSON.
    """
    start = content[:64].lstrip(b"\xef\xbb\xbf\xfe\xff\0 \t\r\n")
    if not start and not content.strip(b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"):
        nothing = "it holds nothing but zeros" if b"\0" in content[:64] else "it is empty"
        raise NotANotebookError(f"{nothing}; save the notebook in Jupyter and hand it in again")
    for signature, reason in _SIGNATURES.items():
        if content.startswith(signature) or start.startswith(signature):
            raise NotANotebookError(reason)


def why_no_json(text: str, error: json.JSONDecodeError) -> str:
    """Return what a text is that is no JSON, or what is wrong with it where the error is."""
    start = text.lstrip()[:100]
    for pattern, reason in _TEXTS:
        if pattern.match(start):
            return reason
    if conflict := _CONFLICT.search(text, max(0, text.rfind("\n", 0, error.pos) + 1)):
        line = text.count("\n", 0, conflict.start()) + 1
        if line <= error.lineno + 1:
            return _MERGE.format(line=line)
    if not start.startswith(("{", "[")):
        if _is_python(text):
            return "it is Python code, not a notebook; give it a name that ends in .py and hand it in again"
        if "\0" in start or "\ufffd" in start:
            return "it is not a notebook, and no text either; save the notebook in Jupyter and hand that in"
        return "it is plain text, not a notebook; save the notebook in Jupyter and hand that in"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return (
            f"it breaks off in line {error.lineno}: it was cut off when it was saved or uploaded; "
            "save the notebook in Jupyter and hand it in again"
        )
    return (
        f"it is damaged in line {error.lineno} (no valid JSON: {clean(error.msg)}), perhaps when it was saved, "
        "uploaded or edited by hand; save the notebook in Jupyter and hand it in again"
    )


def _is_python(text: str) -> bool:
    if len(text) > _LONGEST_SCRIPT:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(statement, ast.Expr) for statement in tree.body)
