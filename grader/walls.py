"""What stands between student code and everything else: how the worker describes it, and the host reads it.

The worker finds out what works on this machine, locks children, has them attack (`grader.worker.probes`), and says what
came of it. The level follows from the attacks alone; the layers explain it to whoever wants more.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

SEALED: Final = "sealed"
CONFINED: Final = "confined"
SEPARATE_USER: Final = "separate-user"
PROCESS_ONLY: Final = "process-only"


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the walls.

    Attributes:
        stands: whether it is up.
        needed: whether the best level cannot be had without it.
        why: what it rests on, or why it is not there.
        remedy: what to do to have it; empty where it stands.
    """

    name: str
    stands: bool
    needed: bool = False
    why: str = ""
    remedy: str = ""


class Walls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them.

    Attributes:
        level: one of the four words above.
        layers: the weightiest first.
        open: what a locked child could still do, in words.
    """

    level: str
    layers: tuple[Layer, ...]
    open: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What the best level lacks."""
        layers = [f"{layer.name}: {layer.why}" for layer in self.layers if layer.needed and not layer.stands]
        return (*layers, *(f"still possible: {name}" for name in self.open))


NOT_LOCKED: Final = 71
"""Exit code of a child that could not be walled in as it should; it has not seen any code (EX_OSERR)."""

EXISTENCE: Final = "seeing that other files exist"
"""All that `confined` leaves open."""

REACHING_OTHERS: Final = frozenset(
    {
        "reading other files",
        "opening the memory of other processes",
        "reading the memory of other processes",
        "reading the environment of other processes",
        "taking descriptors of other processes",
        "tracing other processes",
        "signalling other processes",
        "leaving a process behind",
        "starting without walls",
    }
)
"""What another user could not do either."""


def level(still_open: Collection[str], *, own_root: bool) -> str:
    """The level that these attacks leave.

    Args:
        still_open: names of attacks that succeeded, some with a remark in parentheses.
        own_root: whether the child had a root, processes and a network of its own: nothing else makes it `sealed`.
    """
    left = frozenset(name.partition(" (")[0] for name in still_open)
    if not left and own_root:
        return SEALED
    if left <= {EXISTENCE}:
        return CONFINED
    return PROCESS_ONLY if left & REACHING_OTHERS else SEPARATE_USER
