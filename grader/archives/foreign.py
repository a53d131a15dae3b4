"""Files that are called archives and are something else: what they are, and what to do."""

from __future__ import annotations

import re
from typing import NoReturn

from grader.archives.limits import UnsafeArchiveError

_REPACK = "pack the files as a zip archive and hand that in"
_SIGNATURES = {
    b"7z\xbc\xaf\x27\x1c": f"it is a 7-Zip archive, which is not read; {_REPACK}",
    b"Rar!": f"it is a RAR archive, which is not read; {_REPACK}",
    b"\x28\xb5\x2f\xfd": f"it is a Zstandard archive, which is not read; {_REPACK}",
    b"\x1f\x9d": f"it was packed with `compress`, which is not read; {_REPACK}",
    b"PK\x07\x08": f"it is one part of an archive in several parts; {_REPACK}",
    b"MZ": f"it is a program, which is never run; {_REPACK}",
    b"\x7fELF": f"it is a program, which is never run; {_REPACK}",
    b"%PDF-": "it is a PDF document, not an archive; hand in the .py or .ipynb file itself",
    b"\xd0\xcf\x11\xe0": "it is an Office document, not an archive; hand in the .py or .ipynb file itself",
    b"\x89PNG": "it is an image, not an archive; hand in the .py or .ipynb file itself",
    b"\xff\xd8\xff": "it is an image, not an archive; hand in the .py or .ipynb file itself",
    b"version https://git-lfs": (
        "it is a pointer of Git LFS, not the archive; fetch the archive with `git lfs pull` and hand that in"
    ),
}
_PAGE = re.compile(rb"<(?:!doctype|html|head|body|!--|\?xml)", re.IGNORECASE)
_NOTEBOOK = re.compile(rb"\{(?=.*\"(?:cells|nbformat|worksheets)\")", re.DOTALL)


def refuse_what_is_something_else(content: bytes) -> NoReturn:
    """Look at a file whose first bytes are of no archive that is read.

    Raises:
        UnsafeArchiveError: always; it says what the file is, where that can be told.
    """
    for signature, reason in _SIGNATURES.items():
        if content.startswith(signature):
            raise UnsafeArchiveError(reason)
    start = content[: 1 << 16].lstrip(b"\xef\xbb\xbf\0 \t\r\n")
    if not start:
        raise UnsafeArchiveError(f"it is empty; {_REPACK}")
    if _PAGE.match(start):
        raise UnsafeArchiveError("it is a web page (HTML), not an archive; download the archive itself, hand that in")
    if _NOTEBOOK.match(start):
        raise UnsafeArchiveError("it is a notebook, not an archive; give it a name that ends in .ipynb")
    raise UnsafeArchiveError(f"it is no archive, or a damaged one; {_REPACK}, or the .py or .ipynb file itself")
