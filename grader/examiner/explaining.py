"""From what went wrong to mistakes with a name.

Three sources: what an exception or the shape of an output says (`exceptions`, `outputs`), what a check saw directly,
and what the output proves (`proving`). A name is claimed only for what was seen or proven.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from grader.catalogue import CATALOGUE
from grader.checks.asserting import Failed
from grader.checks.faults import Fault, Raised, WrongResult
from grader.examiner.exceptions import explain
from grader.examiner.heads import explain_one_head
from grader.examiner.imports import forgotten
from grader.examiner.mismatch import Explained
from grader.examiner.mismatches import is_about_sizes
from grader.examiner.outputs import explain_output, is_one_head
from grader.examiner.precedence import in_reading_order
from grader.examiner.scenes import Case, investigate, scene_of
from grader.examiner.session import Session
from grader.examiner.shapes import clashing_shapes
from grader.model import Certainty, Contract, Finding, Flag, Place

INVESTIGATIONS: Final = 4
"""How often at most the same is done at other sizes, for all checks of a submission together."""


class Notebook:
    """Notes down mistakes that show themselves while checks run, each once.

    Attributes:
        forgotten: import statements whose names the code used without having them.
        flags: for the instructor, where finding out has failed.
    """

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}
        self._investigations = 0
        self.forgotten: list[str] = []
        self.flags: tuple[Flag, ...] = ()

    def note(self, check: str, error: BaseException, session: Session, contract: Contract) -> str:
        """Note what this exception, which ended a check, says about the mistake behind it.

        Returns:
            a sentence about what has no name; otherwise an empty text.
        """
        fault, explained = self._explained(error, session, contract)
        if isinstance(error, Raised):
            statement = forgotten(error.type, error.text)
            if statement is not None and statement not in self.forgotten:
                self.forgotten.append(statement)
        if explained is None:
            return ""
        if explained.id is None:
            return explained.sentence
        where = fault.where if isinstance(fault, Fault) else None
        certainty = Certainty.OBSERVED if explained.error is None else Certainty.PROVEN
        evidence = {} if explained.error is None else {"relative error": explained.error}
        found = finding(explained.id, certainty, check=check, where=where, evidence={**evidence, **explained.shapes})
        found = msgspec.structs.replace(found, explanation=explained.sentence or found.explanation)
        self.add(msgspec.structs.replace(found, informative=False))  # it has ended a check
        return ""

    def _explained(
        self, error: BaseException, session: Session, contract: Contract
    ) -> tuple[BaseException, Explained | None]:
        """The fault behind an exception, and what it means."""
        id_ = error.finding if isinstance(error, Fault | Failed) else None
        if isinstance(error, Raised | WrongResult) and id_ is None:
            return error, self._investigated(error, session, contract, session.memory.get("config", {}))
        tried = session.memory.get("fault with a batch")
        if id_ != "unbatched-only" or tried is None:
            return error, None if id_ is None else Explained(id_)
        fault, config = tried
        found = self._investigated(fault, session, contract, config)
        if found is None or found.id is None or found.id == "shape-error":
            more = f" With a batch: {found.sentence}" if found is not None and found.sentence else ""
            shapes = {} if found is None else found.shapes
            return fault, Explained(id_, f"{CATALOGUE[id_].explanation}{more}", shapes=shapes)
        said = found.sentence or CATALOGUE[found.id].explanation
        return fault, replace(found, sentence=f"{said} A single sample without the batch axis works.")

    def _investigated(
        self, fault: Fault, session: Session, contract: Contract, config: dict[str, float]
    ) -> Explained | None:
        """What a fault means, if need be after the same was done at other sizes."""
        if not isinstance(fault, Raised | WrongResult):
            return None
        case = Case(here=scene_of(fault, session, contract, config))
        about_sizes = is_about_sizes(case.here) and isinstance(fault, Raised) and fault.stage in ("build", "call")
        has_shape = isinstance(fault, WrongResult) and fault.shape is not None
        if (about_sizes or has_shape) and self._investigations < INVESTIGATIONS:
            self._investigations += 1
            try:
                case = investigate(case.here, session, contract)
            except Fault:  # it would be so again, and may have taken long
                self._investigations = INVESTIGATIONS
        one_head = explain_one_head(session, contract, config) if is_one_head(case) else None
        found = one_head or explain(case) or explain_output(case)
        return None if found is None else replace(found, shapes=clashing_shapes(case))

    def add(self, found: Finding) -> None:
        """Keep a finding unless there is one of its id; what is proven replaces what a check only saw of it.

        One that has no line yet gets it.
        """
        known = self._found.get(found.id)
        if known is None:
            self._found[found.id] = found
        elif known.certainty is Certainty.OBSERVED and found.certainty is Certainty.PROVEN:
            self._found[found.id] = msgspec.structs.replace(found, check=known.check, where=known.where or found.where)
        elif known.where is None:
            self._found[found.id] = msgspec.structs.replace(known, where=found.where)

    def findings(self) -> tuple[Finding, ...]:
        """All of them, root causes first."""
        return in_reading_order(self._found.values())


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
