"""From what went wrong to mistakes with a name.

Three sources, in the order in which a student should read them: what an exception says (`EXCEPTIONS`), what a check saw
directly, and what the output proves (`grader.examiner.proving`). A name is claimed only for what was seen or proven.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from grader.catalogue import CATALOGUE
from grader.checks.asserting import Failed
from grader.checks.faults import Fault, Raised
from grader.examiner.imports import forgotten, is_import, undefined
from grader.model import Certainty, Finding, Place

EXCEPTIONS: Final = (
    (r"^SyntaxError|^IndentationError|^TabError", "syntax-error"),
    (r"^NotImplementedError", "not-implemented"),
    (r"before Module\.__init__\(\)|has no attribute '_modules'|has no attribute '_parameters'", "super-init-missing"),
    (r"view size is not compatible", "view-noncontiguous"),
    (r"got float|'float' object cannot be interpreted as an integer|must be tuple of ints", "float-head-dim"),
    (r"^TypeError: sqrt\(\)", "sqrt-of-int"),
    (r"Can't call numpy\(\)", "numpy-in-forward"),
    (r"modified by an inplace operation.*Softmax", "inplace-after-softmax"),
    (r"only supports boolean masks|with a bool tensor is not supported", "mask-dtype-rejected"),
    (r"shapes? cannot be multiplied|size of tensor|Expected size|shape '.*' is invalid|must match", "shape-error"),
)
"""Fragments of exception texts that hold across torch versions, and what they mean. The first match counts."""

MATRIX_SHAPES: Final = re.compile(r"\((\d+)x(\d+) and (\d+)x(\d+)\)")


class Notebook:
    """Notes down mistakes that show themselves while checks run, each once.

    Attributes:
        forgotten: import statements whose names the code used without having them.
    """

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}
        self.forgotten: list[str] = []

    def note(self, check: str, error: BaseException, config: dict[str, float]) -> None:
        """Note what this exception, which ended a check, says about the mistake behind it."""
        id_ = None
        if isinstance(error, Raised):
            id_ = exception_id(error, config)
            statement = forgotten(error.type, error.text)
            if statement is not None and statement not in self.forgotten:
                self.forgotten.append(statement)
        elif isinstance(error, Fault | Failed):
            id_ = error.finding
        if id_ is not None:
            where = error.where if isinstance(error, Fault) else None
            self.add(finding(id_, Certainty.OBSERVED, check=check, where=where))

    def add(self, found: Finding) -> None:
        """Keep a finding unless there is one of its id; what is proven replaces what a check only saw of it."""
        known = self._found.get(found.id)
        if known is None:
            self._found[found.id] = found
        elif known.certainty is Certainty.OBSERVED and found.certainty is Certainty.PROVEN:
            self._found[found.id] = msgspec.structs.replace(found, check=known.check, where=known.where or found.where)

    def findings(self) -> tuple[Finding, ...]:
        """All of them, in the order they were noted."""
        return tuple(self._found.values())


def finding(
    id_: str,
    certainty: Certainty,
    *,
    check: str | None = None,
    where: Place | None = None,
    evidence: dict[str, float | int | str] | None = None,
    alternatives: tuple[str, ...] = (),
    explanation: str = "",
) -> Finding:
    """A finding with the words of the catalogue, or with an explanation of its own."""
    entry = CATALOGUE[id_]
    return Finding(
        id=id_,
        certainty=certainty,
        title=entry.title,
        explanation=explanation or entry.explanation,
        check=check,
        where=where,
        evidence=evidence or {},
        alternatives=alternatives,
        informative=entry.informative,
    )


def exception_id(raised: Raised, config: dict[str, float]) -> str | None:
    """The finding an exception stands for, if it is one that can be told from its text and the student's line."""
    text = f"{raised.type}: {raised.text}"
    if unknown := undefined(raised.type, raised.text):
        return "import-missing" if any(map(is_import, unknown)) else "name-undefined"
    found = next((id_ for pattern, id_ in EXCEPTIONS if re.search(pattern, text)), None)
    if found != "shape-error":
        return found
    source = raised.where.source if raised.where else ""
    if re.search(r"\.(T|t\(\))(?!\w)", source):
        return "transpose-T-on-3d"
    sizes = MATRIX_SHAPES.search(text)
    return _layer_mismatch(*(int(size) for size in sizes.groups()), config=config) if sizes else "shape-error"


def _layer_mismatch(_rows: int, fed: int, takes: int, gives: int, *, config: dict[str, float]) -> str:
    """What it means that a layer that takes so many features, and gives so many, was fed so many others."""
    embed, heads = int(config.get("embed_dim", 0)), int(config.get("num_heads", 1))
    head = embed // heads
    known = {
        (heads * embed, embed, embed): "heads-full-width",
        (embed, head, head): "head-linear-fed-full-width",
        (embed, head, embed): "output-projection-wrong-size",
        (head, embed, embed): "full-linear-fed-head",
    }
    return known.get((fed, takes, gives), "shape-error") if heads > 1 else "shape-error"
