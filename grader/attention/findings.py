"""A mistake, as the diagnosis tells it: an id, the reason why it may be claimed, and the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

Evidence = dict[str, float | int | str]
"""Numbers and names behind a claim, by what they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A mistake.

    Attributes:
        id: what it is called in the catalogue.
        alternatives: other mistakes that are the same function of the input.
        certainty: "proven" or "observed".
        evidence: numbers and names behind it.
        informative: whether correct code may have it.
    """

    id: str
    certainty: str
    alternatives: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=dict)
    informative: bool = False
