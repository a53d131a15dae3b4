"""The student's class, as a check sees it: something to build, call and differentiate, in another process.

`student(embed_dim=24)` builds the module, puts it into eval mode and double precision, and loads weights that the
examiner drew: whatever the class did to its own weights, and whatever it claims they are, the verdict is about these.
`as_built` leaves it the way its constructor made it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from grader import tensors, wire
from grader.attention import draw_tokens, draw_values
from grader.checks.faults import Fault, Killed, TimedOut, WrongResult
from grader.examiner.adapting import plan_call, plan_construct
from grader.examiner.answers import wrong_result
from grader.examiner.attention import Attention
from grader.examiner.module import CHECK_GAIN, Manner, encode_values
from grader.examiner.session import Session
from grader.model import Contract


class Student:
    """Builds the student's class. One per check.

    Building costs more than anything else a check does. So a prepared module is lent to one check after the other, as
    long as only calls happened to it: no weights loaded, no mode switched, no exception raised, the same worker.
    """

    def __init__(self, session: Session, contract: Contract, generator: torch.Generator) -> None:
        self._session = session
        self._contract = contract
        self._generator = generator
        self._faults = session.faults
        self._lent: list[Attention] = []

    def __call__(self, **config: float) -> Attention:
        """A module with these contract arguments, in eval mode and the working precision, with weights we drew."""
        attention = self._from_shelf(config) or self._prepared(config)
        self._lent.append(attention)
        return attention

    def give_back(self) -> None:
        """Put what was lent to this check, and is as it was, on the shelf for the next one."""
        shelf = self._shelf
        if self._session.faults != self._faults:
            shelf.clear()
            return
        for attention in self._lent:
            if attention.is_untouched:
                shelf[_key(attention.config)] = attention

    @property
    def _shelf(self) -> dict[tuple[object, ...], Attention]:
        shelf: dict[tuple[object, ...], Attention] = self._session.memory.setdefault("shelf", {})
        return shelf

    def _from_shelf(self, config: Mapping[str, float]) -> Attention | None:
        self._session.open()
        found = self._shelf.pop(_key(config), None)
        return found if found is not None and found.generation == self._session.generation else None

    def _prepared(self, config: Mapping[str, float]) -> Attention:
        manner = self._manner(config)
        shapes = self._session.memory.get(shapes_key(config))
        if shapes is None:
            attention = self.as_built(**config)
            attention.prepare(manner, self._generator)
            return attention
        values = draw_values(shapes, embed_dim=int(config["embed_dim"]), gain=CHECK_GAIN, generator=self._generator)
        return self._build(config, manner, values)

    def as_built(self, **config: float) -> Attention:
        """Build with these contract arguments and change nothing: float32, train mode, its own weights."""
        known: Manner | None = self._session.memory.get("manner")
        return self._build(config, Manner(torch.float32, known.batched if known else True), None)

    def for_trial(self, *, batched: bool, **config: float) -> Attention:
        """The same, called with a whole batch or with one sample at a time, whatever it wants."""
        return self._build(config, Manner(torch.float32, batched), None)

    def _build(self, config: Mapping[str, float], manner: Manner, values: dict[str, Tensor] | None) -> Attention:
        """One built module: as its constructor left it, or prepared and given these values, in a single exchange."""
        opened = self._session.open()
        plan = plan_construct(opened.construct, self._contract.construct)
        for name in plan.missing:
            if name in config:
                raise WrongResult(f"The constructor takes no argument for {name!r}.")
        self._session.memory["config"] = dict(config)
        args, kwargs = plan.arguments(dict(config))
        dtype = None if values is None else tensors.NAMES[manner.dtype]
        arrays = encode_values(values or {}, manner.dtype)
        built = self._session.ask(lambda seconds: wire.Build(args, kwargs, dtype, arrays, seconds), wire.Built)
        call = plan_call(opened.call, self._contract.call)
        attention = Attention(self._session, built, call, dict(config), manner)
        attention.remember(values or {})
        self._session.memory.setdefault(shapes_key(config), attention.shapes)
        return attention

    def takes(self, name: str) -> bool:
        """Whether the constructor has a parameter for this argument of the contract."""
        opened = self._session.open()
        return name not in plan_construct(opened.construct, self._contract.construct).missing

    @property
    def extra_arguments(self) -> tuple[str, ...]:
        """What its constructor demands beyond the contract."""
        opened = self._session.open()
        return plan_construct(opened.construct, self._contract.construct).invented

    def _manner(self, config: Mapping[str, float]) -> Manner:
        if "manner" not in self._session.memory:
            self._session.memory["manner"] = self._find_manner(config)
        manner: Manner = self._session.memory["manner"]
        return manner

    def _find_manner(self, config: Mapping[str, float]) -> Manner:
        """Try double precision, then single, then one sample at a time. Raises the fault of single precision if none
        of them runs: it is the one the student can reproduce."""
        x = draw_tokens(2, 5, int(config["embed_dim"]), torch.Generator().manual_seed(1))
        fault: Fault | None = None
        answered = False
        memory = self._session.memory
        for manner in (Manner(torch.float64, True), Manner(torch.float32, True), Manner(torch.float64, False)):
            attention = self.as_built(**config)
            try:
                attention.prepare(manner, torch.Generator().manual_seed(2))
                answer = attention.answer(x)
                if isinstance(answer, Tensor):
                    return manner
                answered = answered or manner.batched
                if manner.batched:
                    memory["fault with a batch"] = (wrong_result(answer), {**config})
            except (TimedOut, Killed):
                raise
            except Fault as now:
                if manner.batched:
                    fault = now
                    memory["fault with a batch"] = (now, {**config})
        if answered or fault is None:
            return Manner(torch.float64, True)
        raise fault


def _key(config: Mapping[str, float]) -> tuple[object, ...]:
    return tuple(sorted(config.items()))


def shapes_key(config: Mapping[str, float]) -> tuple[object, ...]:
    """Dropout has no weights: modules that differ in nothing else have the same shapes."""
    return ("shapes", *sorted((name, value) for name, value in config.items() if name != "dropout"))
