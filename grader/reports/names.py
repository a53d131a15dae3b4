"""Names of report files: safe on every file system, and never two students in one file.

A name that is already a plain slug is kept. Any other is slugged, and a few digits of its SHA-256 tell it apart; so a
kept name can never meet a made one, whatever the case of letters. The original is only ever shown as text.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from grader.model import Cohort

LONGEST = 80
_DIGITS = 8
_LOOKED_AT = 1_000  # characters of a name; a file system allows 255 bytes
_RESERVED = re.compile(r"con|prn|aux|nul|conin|conout|clock|com\d?|lpt\d?|index")
"""Devices of Windows, and the name of the class page."""
_LOOKS_MADE = re.compile(rf"-[0-9a-f]{{{_DIGITS},}}$")


def file_names(cohort: Cohort) -> dict[str, str]:
    """Each student's part of a file name, without an extension, by the student's own name."""
    return safe_names(grade.student for grade in cohort.grades)


def folder_names(cohort: Cohort) -> dict[str, str]:
    """Each assignment's folder, by its id."""
    return safe_names(grade.assignment for grade in cohort.grades)


def report_paths(cohort: Cohort, extension: str) -> dict[tuple[str, str], str]:
    """Where each report is, by student and assignment: `<assignment>/<student>.<extension>`."""
    folders, files = folder_names(cohort), file_names(cohort)
    return {
        (grade.student, grade.assignment): f"{folders[grade.assignment]}/{files[grade.student]}.{extension}"
        for grade in cohort.grades
    }


def safe_names(originals: Iterable[str]) -> dict[str, str]:
    """A portable, unique file name for each original: lower-case ASCII letters, digits, `-` and `_`, at most 80."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for original in sorted(set(originals)):
        digits = _DIGITS
        while (name := _name(original, digits)) in taken:  # two digests that begin alike: not by accident
            digits += _DIGITS
        taken.add(name)
        names[original] = name
    return names


def _name(original: str, digits: int) -> str:
    slug = _slug(original)
    kept = slug == original and slug and len(slug) <= LONGEST
    if kept and not _RESERVED.fullmatch(slug) and not _LOOKS_MADE.search(slug):
        return slug
    digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
    stem = slug[: LONGEST - digits - 1].rstrip("-_") or "unnamed"
    return f"{stem}-{digest}"


def _slug(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text[:_LOOKED_AT]).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9_]+", "-", ascii_text).strip("-_")
