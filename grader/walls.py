"""What stands between student code and everything else: how the worker describes it, and the host reads it.

The worker finds out what works on this machine, locks a child, has it attack (`grader.worker.probes`), and says what
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
        why: what it rests on, or why it is not there.
        remedy: what to do to have it; empty where it stands.
    """

    name: str
    stands: bool
    why: str = ""
    remedy: str = ""


class Walls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them.

    Attributes:
        level: one of the four words above.
        layers: outermost first.
        open: what a locked child could still do, in words.
    """

    level: str
    layers: tuple[Layer, ...]
    open: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What the next better level lacks."""
        return tuple(f"no {layer.name}: {layer.why}" for layer in self.layers if not layer.stands) + tuple(
            f"still possible: {name}" for name in self.open
        )


EXISTENCE: Final = "seeing that other files exist"
"""All that `confined` leaves open."""

FILES_AND_PROCESSES: Final = frozenset(
    {
        "reading other files",
        "opening the memory of other processes",
        "reading the memory of other processes",
        "reading the environment of other processes",
        "taking descriptors of other processes",
        "tracing other processes",
        "signalling other processes",
    }
)
"""What another user must not be able to do."""


def level(still_open: Collection[str], *, own_root: bool, own_processes: bool) -> str:
    """The level that these attacks leave.

    Args:
        still_open: names of attacks that succeeded.
        own_root: whether the child has a root and namespaces of its own; nothing but this makes a level `sealed`.
        own_processes: whether ending the child ends, without fail, everything that it started.
    """
    left = frozenset(still_open)
    if not left and own_root and own_processes:
        return SEALED
    if left <= {EXISTENCE}:
        return CONFINED
    if not left & FILES_AND_PROCESSES:
        return SEPARATE_USER
    return PROCESS_ONLY
