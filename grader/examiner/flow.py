"""A trace, with its tensors followed from step to step: which come from the input, which from the mask, which score.

What a tensor is is told from its sizes, which differ from each other in a traced call, and from what it was made of.
Whoever wrote the trace may have lied: nothing here fails for any trace that `wire.check_trace` lets pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from grader import wire

Shape = tuple[int, ...]

ALIASES: Final = {
    "rmul": "mul",
    "multiply": "mul",
    "radd": "add",
    "truediv": "div",
    "true_divide": "div",
    "divide": "div",
    "rdiv": "div",
    "rtruediv": "div",
    "subtract": "sub",
    "rsub": "sub",
    "rmatmul": "matmul",
    "concat": "cat",
    "concatenate": "cat",
    "_softmax": "softmax",
}
"""Other names of functions."""

PRODUCTS: Final = frozenset({"matmul", "bmm", "mm", "mv", "einsum", "baddbmm", "addmm", "addbmm", "tensordot", "inner"})
PROJECTIONS: Final = PRODUCTS | {"linear", "bilinear", "conv1d", "conv2d", "convolution"}
SOFTMAXES: Final = frozenset({"softmax", "log_softmax", "softmin", "_safe_softmax"})
TRANSPOSITIONS: Final = frozenset(
    {"transpose", "permute", "t", "T", "mT", "swapaxes", "swapdims", "movedim", "moveaxis"}
)
VIEWS: Final = TRANSPOSITIONS | {
    *("view", "reshape", "unflatten", "flatten", "squeeze", "unsqueeze", "expand", "expand_as", "view_as"),
    *("getitem", "select", "narrow", "chunk", "split", "unbind", "tensor_split", "contiguous"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of one call."""

    batch: int
    seq: int
    embed: int
    heads: int

    @property
    def head(self) -> int:
        """Features of one head."""
        return self.embed // self.heads


@dataclass(frozen=True, slots=True)
class Act:
    """A step, with the name of its function freed from its forms.

    `at` is its place in the trace, `name` the function's name without module, underscores and letters that say that it
    is reflected or in place; `writes` says that it changes its first tensor.
    """

    step: wire.Step
    at: int
    name: str
    writes: bool

    @property
    def takes(self) -> tuple[int, ...]:
        """The tensors it is given, by number."""
        return self.step.takes

    @property
    def gives(self) -> tuple[int, ...]:
        """The tensors it makes, by number; for one that writes, the one it writes to."""
        return self.step.gives or (self.step.takes[:1] if self.writes else ())

    def argument(self, *names: str) -> wire.Plain:
        """The first of these arguments that it has; positional ones are named by their position."""
        return next((self.step.arguments[name] for name in names if name in self.step.arguments), None)


def act_of(step: wire.Step, at: int) -> Act:
    """The step at this place of a trace, read."""
    name = step.function.rpartition("::")[2] if "::" in step.function else step.function.removesuffix(".default")
    name, writes = name.rpartition(".")[2], False
    if name.startswith("__") and name.endswith("__") and len(name) > 4:
        name = name[2:-2]
        writes = name == "setitem"
    elif name.endswith("_"):
        name, writes = name[:-1], True
    return Act(step, at, ALIASES.get(name, name), writes)


class Flow:
    """Which tensors of a trace are what.

    Attributes:
        acts: the steps, in their order.
        x: the number of the input, None where no step takes it.
    """

    def __init__(self, traced: wire.Traced, sizes: Sizes) -> None:
        self.sizes = sizes
        self.acts = tuple(act_of(step, at) for at, step in enumerate(traced.steps))
        self.returned = traced.returned
        self._tensors = traced.tensors
        self._origins = self._follow()
        batch, seq, embed = sizes.batch, sizes.seq, sizes.embed
        self.x = self._root({(batch, seq, embed), (seq, embed)})
        self.mask = self._root({(batch, seq, seq), (seq, seq)})
        self._inputs = self._views(self.x)
        self._masks = self._views(self.mask)
        self._needed = self._all_behind(self.returned)
        self._scores = self._spread(self._meets)
        self._weights = self._spread(self.is_softmax)

    # -- what a tensor is ----------------------------------------------------------------------------------------------

    def shape(self, number: int) -> Shape:
        """Its shape."""
        return self._tensors[number].shape

    def dtype(self, number: int) -> str:
        """Its dtype."""
        return self._tensors[number].dtype

    def origins(self, number: int) -> frozenset[int]:
        """The tensors that no step made and that it was made of: inputs and parameters."""
        return self._origins.get(number, frozenset())

    def is_from_x(self, number: int) -> bool:
        """Whether the input is in it."""
        return self.x is not None and self.x in self.origins(number)

    def is_input(self, number: int) -> bool:
        """Whether it is the input itself, or a view of it."""
        return number in self._inputs

    def is_mask(self, number: int) -> bool:
        """Whether the mask is in it and the input is not."""
        return self.mask is not None and self.mask in self.origins(number) and not self.is_from_x(number)

    def is_mask_itself(self, number: int) -> bool:
        """Whether it is the mask that was handed in, or a view of it."""
        return number in self._masks

    def is_parameter(self, number: int) -> bool:
        """Whether neither input nor mask is in it, and it could be weights."""
        made_of = self.origins(number)
        return bool(made_of) and not made_of & {self.x, self.mask} and len(self.shape(number)) >= 2

    def is_square(self, number: int) -> bool:
        """Whether it has a place for each pair of tokens, computed from the input."""
        return self.shape(number).count(self.sizes.seq) >= 2 and self.is_from_x(number)

    def is_after_scores(self, number: int) -> bool:
        """Whether scores are in it."""
        return number in self._scores

    def is_after_softmax(self, number: int) -> bool:
        """Whether attention weights are in it."""
        return number in self._weights

    # -- what a step is ------------------------------------------------------------------------------------------------

    def before(self, act: Act) -> Shape:
        """The shape of the first tensor that it takes; empty if there is none."""
        return self.shape(act.takes[0]) if act.takes else ()

    def after(self, act: Act) -> Shape:
        """The shape of the first tensor that it makes; empty if there is none."""
        return self.shape(act.gives[0]) if act.gives else ()

    def any_from_x(self, act: Act) -> bool:
        """Whether it computes with the input."""
        return any(map(self.is_from_x, act.takes))

    def makes_scores(self, act: Act) -> bool:
        """Whether queries meet keys in it."""
        return self._meets(act) and not any(map(self.is_after_scores, act.takes))

    def attends(self, act: Act) -> bool:
        """Whether weights meet values in it."""
        squares = [self.is_square(number) and self.is_after_scores(number) for number in act.takes]
        return act.name in PRODUCTS and any(squares) and not all(squares)

    def is_softmax(self, act: Act) -> bool:
        """Whether it is a softmax, or the sum that a softmax written by hand divides by."""
        if act.name in SOFTMAXES:
            return self.any_from_x(act)
        return act.name == "sum" and any(number in self._exponentials for number in act.takes)

    def axis(self, act: Act) -> int | None:
        """The one axis that it runs along, counted from the front."""
        dim = act.argument("dim", "axis", "1")
        rank = len(self.before(act))
        if isinstance(dim, tuple) and len(dim) == 1:
            dim = dim[0]
        if is_implicit(act):
            dim = 0 if rank in (0, 1, 3) else 1  # what torch chooses, and warns of
        if not isinstance(dim, int) or isinstance(dim, bool) or not -rank <= dim < rank:
            return None
        return dim % rank

    def is_in_vain(self, act: Act) -> bool:
        """Whether nothing that it makes has a part in what is returned."""
        return bool(act.gives) and bool(self._needed) and self._needed.isdisjoint(act.gives)

    # -- following -----------------------------------------------------------------------------------------------------

    def _follow(self) -> dict[int, frozenset[int]]:
        """The origins of all tensors."""
        origins: dict[int, frozenset[int]] = {}
        self._exponentials: set[int] = set()
        for act in self.acts:
            for number in act.takes:
                origins.setdefault(number, frozenset({number}))
            taken = frozenset[int]().union(*(origins[number] for number in act.takes))
            for number in act.gives:
                origins[number] = origins.get(number, frozenset()) | taken or frozenset({number})
            if act.name in ("exp", "exp2"):
                self._exponentials.update(act.gives)
        return origins

    def _root(self, shapes: set[Shape]) -> int | None:
        """The first tensor of one of these shapes that no step made."""
        made: set[int] = set()
        for act in self.acts:
            for number in act.takes:
                if number not in made and self.shape(number) in shapes:
                    return number
            made.update(act.gives)
        return None

    def _views(self, root: int | None) -> set[int]:
        if root is None:
            return set()
        found = {root}
        for act in self.acts:
            if act.name in VIEWS and act.takes and act.takes[0] in found:
                found.update(act.gives)
        return found

    def _all_behind(self, returned: tuple[int, ...]) -> set[int]:
        """What has a part in these tensors."""
        found = set(returned)
        for act in reversed(self.acts):
            if not found.isdisjoint(act.gives):
                found.update(act.takes)
        return found

    def _spread(self, begins: Callable[[Act], bool]) -> set[int]:
        """What the steps that begin something make, and all that is made of it."""
        found: set[int] = set()
        for act in self.acts:
            if begins(act) or not found.isdisjoint(act.takes):
                found.update(act.gives)
        return found

    def _meets(self, act: Act) -> bool:
        """Whether it multiplies something to a place for each pair of tokens."""
        return act.name in PRODUCTS and self.any_from_x(act) and any(map(self.is_square, act.gives))


def is_implicit(act: Act) -> bool:
    """Whether it is a softmax that was not told its axis."""
    given = act.argument("dim", "1")
    told = isinstance(given, int) and not isinstance(given, bool)
    return act.name in SOFTMAXES and act.step.function.startswith("torch.nn.functional.") and not told
