"""When a notebook reached which point of its way through the grader, and what CPU time that process had used by then.

Run as a script this is the worker's warm process, `grader.worker`, with functions around its own that note the moment.
They write into a file that every fork shares through its memory, so it survives the descriptors that a child closes.
All clocks are monotonic, hence the same in every process.
"""

from __future__ import annotations

import enum
import functools
import mmap
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Moment = enum.IntEnum("Moment", "LOCKED BOUND READY LEFT PLAYED BRANCHED OPENED ANSWERED", start=0)
"""The client is locked down, the kernel's sockets are bound, the first cell begins, the last one is done, the client is
done, the kernel is about to serve, the class is loaded, the last answer so far is made."""

PAIR = struct.Struct("<dd")  # the clock, the process's CPU seconds


class Stamps:
    """The last time that each moment was noted, in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, mmap.PAGESIZE)
        self._memory = mmap.mmap(descriptor, mmap.PAGESIZE)
        os.close(descriptor)

    def note(self, moment: Moment) -> None:
        """It is now."""
        PAIR.pack_into(self._memory, moment * PAIR.size, time.monotonic(), time.process_time())

    def forget(self) -> None:
        """None of them has been yet."""
        self._memory[:] = bytes(mmap.PAGESIZE)

    def when(self, moment: Moment) -> float:
        """The clock at that moment."""
        return float(PAIR.unpack_from(self._memory, moment * PAIR.size)[0])

    def cpu(self, moment: Moment) -> float:
        """CPU seconds that the process it happened in had used."""
        return float(PAIR.unpack_from(self._memory, moment * PAIR.size)[1])


def stamp(stamps: Stamps) -> None:
    """Have the worker's own functions note when they are reached. Imports it all, as its warm process does."""
    from ipykernel.ipkernel import IPythonKernel
    from nbclient import NotebookClient

    from grader import wire
    from grader.serving import Desk
    from grader.worker import branching, performance, player

    def around(owner: Any, name: str, *, before: Moment | None = None, after: Moment | None = None) -> None:
        setattr(owner, name, _noting(getattr(owner, name), stamps, before, after))

    around(performance, "perform", before=Moment.LOCKED)
    around(player, "play", after=Moment.PLAYED)
    around(branching, "branch", before=Moment.BRANCHED)
    around(IPythonKernel, "start", after=Moment.BOUND)
    execute, answer = NotebookClient.async_execute_cell, Desk.answer

    async def executed(self: Any, cell: Any, cell_index: int, *args: Any, **kwargs: Any) -> Any:
        if cell_index == 0:
            stamps.note(Moment.READY)
        done = await execute(self, cell, cell_index, *args, **kwargs)
        stamps.note(Moment.LEFT)
        return done

    def answered(self: Desk, request: wire.Request) -> wire.Reply:
        reply = answer(self, request)
        stamps.note(Moment.OPENED if isinstance(request, wire.Open) else Moment.ANSWERED)
        return reply

    NotebookClient.async_execute_cell = executed  # type: ignore[method-assign]
    Desk.answer = answered  # type: ignore[method-assign]


def _noting(
    function: Callable[..., Any], stamps: Stamps, before: Moment | None, after: Moment | None
) -> Callable[..., Any]:
    @functools.wraps(function)
    def noting(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            stamps.note(before)
        done = function(*args, **kwargs)
        if after is not None:
            stamps.note(after)
        return done

    return noting


if __name__ == "__main__":
    from grader.worker.__main__ import main

    stamp(Stamps(Path(sys.argv[4])))
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
