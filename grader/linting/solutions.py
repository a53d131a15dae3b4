"""The solutions that stand beside a reference: correct ones that must earn full marks, and wrong ones that say why.

The header of a wrong solution names its mistake and the checks that notice it; those that are blocked behind them are
echoes, and not named:

    # finding: scale-missing
    # fails: test_scores_are_scaled
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grader.model import SourceFile, Submission

GENERAL: Final = frozenset({"shape-error", "parameters-unregistered", "unbatched-only", "not-repeatable"})
"""Findings that are true of more than one mistake, and may be told besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """One file below `solutions/<assignment>/`.

    Attributes:
        kind: `accepted` or `wrong`.
        findings, fails: what the header of a wrong one names; empty where it names nothing.
    """

    kind: str
    submission: Submission
    findings: frozenset[str] = frozenset()
    fails: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Folder and file: `wrong/scale_missing.py`."""
        return self.submission.student


def solutions(folder: Path) -> tuple[Solution, ...]:
    """All accepted and wrong solutions of an assignment, by name."""
    found = []
    for kind in ("accepted", "wrong"):
        for file in sorted((folder / kind).glob("*.py")):
            content = file.read_bytes()
            text = content.decode("utf-8", "replace")
            found.append(
                Solution(
                    kind=kind,
                    submission=handed_in(f"{kind}/{file.name}", content),
                    findings=_named(text, "finding"),
                    fails=_named(text, "fails"),
                )
            )
    return tuple(found)


def handed_in(name: str, content: bytes) -> Submission:
    """A single file as a submission of its own."""
    file = SourceFile(path=Path(name).name, content=content)
    digest = hashlib.sha256(name.encode() + b"\0" + content).hexdigest()
    return Submission(student=name, origin=Path(name), files=(file,), digest=digest)


def _named(text: str, key: str) -> frozenset[str]:
    found = re.search(rf"^# {key}: (.+)$", text, re.MULTILINE)
    return frozenset(word.strip() for word in found[1].split(",")) if found else frozenset()
