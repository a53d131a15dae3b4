"""A trusted class, examined in this very process: the reference solution at start-up, or a file under plain pytest."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType
from typing import Any

from grader import wire
from grader.errors import DeadlinePassed
from grader.forkserver import Fate
from grader.serving import Desk, Listing, NotFound


class InProcess:
    """An `Agency` whose only worker is a desk in this process. For code that is trusted, and for nothing else."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def hire(self, *, executed: bool) -> InProcess:
        """Load the file anew."""
        source = self._file.read_text(encoding="utf-8")

        def load(request: wire.Open) -> object:
            module = ModuleType(self._file.stem)
            exec(compile(source, str(self._file), "exec"), module.__dict__)
            if not isinstance(getattr(module, request.target, None), type):
                raise NotFound(f"{request.target} is not a class in {self._file.name}")
            return getattr(module, request.target)

        self._desk = Desk(load, sources={str(self._file): Listing(self._file.name, source.splitlines())}, output=str)
        return self

    def ask(self, question: wire.Question, *, deadline: float) -> Any:
        """Answer at once."""
        answer = self._desk.answer(question)  # type: ignore[arg-type]
        if time.monotonic() > deadline:
            raise DeadlinePassed("it took too long")
        return answer

    def close(self) -> None:
        """Nothing to hang up."""

    def retire(self, *, gone: bool) -> Fate:
        """Nothing to kill."""
        return Fate(code=0)
