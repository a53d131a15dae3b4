"""Whether a variant of the reference solution behaves as the reference does, within what the contract allows to ask.

`python -I -m grader.examiner.equivalence` reads one `Comparison` from its standard input and writes one `Compared`. It
runs nothing but an assignment's own reference and variants of it: nobody's code is walled in here.

Both are built with the same arguments, given the same weights, and asked the same: outputs in double and single
precision, with and without every kind of mask, in both modes, gradients, what is learned and how it is called, what is
left of the arguments. Which of several layers of the same shape plays which role is left open, as it is for students:
two of them may have changed places. A variant that differs in nothing of this is taken to be the same program in other
words. What the contract leaves open (a row of a mask without any key, the text of an exception) is not asked.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType, ModuleType
from typing import Final

import msgspec
import torch
from torch import Tensor, nn

from grader.attention import causal_mask, draw_mask, draw_tokens, padding_mask
from grader.examiner.adapting import contract_names
from grader.model import Contract
from grader.orders import Compared, Comparison

SIZES: Final[tuple[dict[str, int], ...]] = ({"embed_dim": 24, "num_heads": 4}, {"embed_dim": 15, "num_heads": 3})
INDIVISIBLE: Final[tuple[dict[str, int], ...]] = ({"embed_dim": 10, "num_heads": 4}, {"embed_dim": 7, "num_heads": 3})
RATE: Final = 0.3
SHAPES: Final = ((3, 5), (2, 7), (1, 1))
"""Batch and sequence; no two sizes of one module are equal."""
ROOM_FOR_HOLES: Final = 4
"""Tokens of the shortest sequence for which masks without symmetry can be drawn."""

SECONDS: Final = 10
"""For one variant; one that takes longer differs."""

CLOSE: Final = {torch.float64: 1e-9, torch.float32: 1e-4}
DRAWS: Final = 3000
SIGMAS: Final = 6.0

OUTPUT: Final = "the output"
SAVED: Final = "what it saves"

Seen = Iterator[tuple[str, object]]
Layers = Sequence[tuple[str, str]]
Renaming = Callable[[str], str]


class TookTooLong(Exception):
    """A variant does not come to an end."""


@dataclass(frozen=True)
class Random:
    """What a module in train mode gave for many copies of the same tokens: `(copies, seq, embed)`."""

    outputs: Tensor


def compare(order: Comparison) -> Compared:
    """Compare every variant with the reference."""
    known = set(contract_names(order.contract.construct)) | set(contract_names(order.contract.call))
    unknown = sorted(known - {"embed_dim", "num_heads", "dropout", "x", "mask"})
    if unknown:
        return Compared(problem=f"it is not known what to give for {' and '.join(unknown)}")
    expected = dict(_observed(order.reference, order.entry, order.contract))
    if "loading" in expected:
        return Compared(problem="the reference itself cannot be loaded")
    differences = {}
    layers = _exchangeable(expected)
    for name, source in order.variants.items():
        with _limited(SECONDS):
            differences[name] = _least_difference(source, order, expected, layers)
    return Compared(differences=differences)


def _least_difference(source: str, order: Comparison, expected: Mapping[str, object], layers: Layers) -> str:
    """In what a variant differs with its layers as they are called; nothing, where two only changed their names."""
    try:
        first = _difference(_observed(source, order.entry, order.contract), expected)
        if not first.startswith(OUTPUT):
            return first
        for one, other in layers:
            renamed = partial(_renamed, one, other)
            if not _difference(_observed(source, order.entry, order.contract, renamed), expected):
                return ""
    except TookTooLong:
        return "the time it takes"
    return first


def _exchangeable(expected: Mapping[str, object]) -> Layers:
    """Pairs of layers, or of parameters, that have the same shapes."""
    shapes: dict[str, list[object]] = {}
    saved = next((value for name, value in expected.items() if name.startswith(SAVED)), None)
    for name, shape in saved.items() if isinstance(saved, dict) else ():
        shapes.setdefault(_layer(name), []).append(shape)
    return [pair for pair in itertools.combinations(shapes, 2) if shapes[pair[0]] == shapes[pair[1]]]


def _layer(name: str) -> str:
    return name.rpartition(".")[0] or name


def _renamed(one: str, other: str, name: str) -> str:
    """The name with one layer's in the place of the other's."""
    layer = _layer(name)
    return {one: other, other: one}.get(layer, layer) + name[len(layer) :]


def _as_it_is(name: str) -> str:
    return name


def _difference(seen: Seen, expected: Mapping[str, object]) -> str:
    """The first thing in which what is seen is not what was expected."""
    count = 0
    for name, value in seen:
        count += 1
        if name not in expected or not _alike(value, expected[name]):
            return name
    return "" if count == len(expected) else "how much of it works"


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def ring(_: int, __: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# -- what is looked at -------------------------------------------------------------------------------------------------


def _observed(source: str, entry: str, contract: Contract, renamed: Renaming = _as_it_is) -> Seen:
    """All that is looked at, each under a name that an instructor understands."""
    try:
        module = ModuleType("variant")
        exec(compile(source, "variant.py", "exec"), module.__dict__)
        built = getattr(module, entry)
    except TookTooLong:
        raise
    except Exception:
        yield "loading", False
        return
    names = contract_names(contract.construct)
    masked = "mask" in contract_names(contract.call)
    for number, sizes in enumerate(SIZES):
        own = {name: sizes[name] for name in names if name in sizes}
        for rate in (None, 0.0, RATE) if "dropout" in names else (None,):
            config = own if rate is None else {**own, "dropout": rate}
            told = ", ".join(f"{name}={value}" for name, value in config.items())
            for name, value in _module(partial(built, **config), sizes["embed_dim"], masked, renamed, seed=number):
                yield f"{name} ({told})", value
    if "num_heads" in names:
        for sizes in INDIVISIBLE:
            told = ", ".join(f"{name}={value}" for name, value in sizes.items())
            yield f"whether it can be built ({told})", _tried(partial(_builds, built, sizes))


def _module(build: Callable[[], nn.Module], embed: int, masked: bool, renamed: Renaming, *, seed: int) -> Seen:
    """One module, built again for whatever might leave traces."""

    def made(dtype: torch.dtype = torch.float64) -> nn.Module:
        module = build()
        module.to(dtype)
        values = {name: _value(renamed(name), value.shape, dtype) for name, value in module.state_dict().items()}
        module.load_state_dict(values)
        return module.eval()

    yield "what it learns", _tried(lambda: {name: tuple(value.shape) for name, value in build().named_parameters()})
    yield SAVED, _tried(lambda: {name: tuple(value.shape) for name, value in build().state_dict().items()})
    module = _tried(made)
    yield "whether it can be given weights", isinstance(module, nn.Module)
    if not isinstance(module, nn.Module):
        return
    generator = torch.Generator().manual_seed(seed)
    for batch, seq in SHAPES:
        x = draw_tokens(batch, seq, embed, generator)
        for told, mask in _masks(batch, seq, generator) if masked else [("without a mask", None)]:
            yield f"{OUTPUT} {told}, {batch} x {seq}", _called(module, x, mask)
    x = draw_tokens(3, 5, embed, generator)
    mask = causal_mask(5) if masked else None
    yield f"{OUTPUT} for large scores", _called(module, 300 * x, None)
    yield f"{OUTPUT} of another call", _called(module, x, mask)
    for told, given in (("", None), (" with a mask", mask)):
        yield f"gradients{told}", _tried(partial(_gradients, made, x, given, renamed))
    yield f"{OUTPUT} in single precision", _tried(lambda: made(torch.float32)(x.float(), *_given(mask)))
    yield f"{OUTPUT} on another device", _tried(lambda: made().to("meta")(x.to("meta")).device.type)
    for told, given in (("", None), (" with a mask", mask)):
        yield f"train mode{told}", _tried(partial(_in_training, made, x[:1], given))


def _masks(batch: int, seq: int, generator: torch.Generator) -> Iterator[tuple[str, Tensor | None]]:
    lengths = torch.arange(batch) % seq + 1
    yield "without a mask", None
    yield "with a causal mask", causal_mask(seq)
    yield "with a padding mask", padding_mask(lengths, seq)
    if seq < ROOM_FOR_HOLES:
        return
    own = draw_mask(batch, seq, generator)
    yield "with a mask for each sample", own
    yield "with a mask of whole numbers", own.long()
    yield "with a mask of floating numbers", own.double()


def _given(mask: Tensor | None) -> tuple[Tensor, ...]:
    return () if mask is None else (mask,)


def _value(name: str, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Numbers that depend on a name: as random as needed, and the same for everybody."""
    generator = torch.Generator().manual_seed(sum(index * code for index, code in enumerate(name.encode(), 1)))
    return 0.4 * torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def _tried(act: Callable[[], object]) -> object:
    """What an act gives, or that it raises."""
    try:
        return act()
    except TookTooLong:
        raise
    except Exception:
        return Exception


def _called(module: nn.Module, x: Tensor, mask: Tensor | None) -> object:
    """The output, and whether the arguments are left as they were."""

    def act() -> object:
        before = [tensor.clone() for tensor in (x, *_given(mask))]
        given = [tensor.clone() for tensor in before]
        with torch.no_grad():
            output = module(*given)
        return [output, all(torch.equal(a, b) for a, b in zip(before, given, strict=True))]

    return _tried(act)


def _builds(built: Callable[..., object], sizes: dict[str, int]) -> bool:
    return built(**sizes) is not None


def _gradients(made: Callable[[], nn.Module], x: Tensor, mask: Tensor | None, renamed: Renaming) -> object:
    module, x = made(), x.clone().requires_grad_()
    output = module(x, *_given(mask))
    noise = torch.randn(output.shape, generator=torch.Generator().manual_seed(3), dtype=output.dtype)
    (noise * output).sum().backward()
    return {"": x.grad, **{renamed(name): value.grad for name, value in module.named_parameters()}}


def _in_training(made: Callable[[], nn.Module], x: Tensor, mask: Tensor | None) -> object:
    module = made().train()
    torch.manual_seed(5)
    with torch.no_grad():
        return Random(module(x.expand(DRAWS, -1, -1), *_given(mask)))


# -- whether it is the same --------------------------------------------------------------------------------------------


def _alike(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return _close(one, other)
    if isinstance(one, Random) and isinstance(other, Random):
        return _close(one.outputs, other.outputs) or _same_distribution(one.outputs, other.outputs)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return type(one) is type(other) and one == other


def _close(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    size = float(other.detach().abs().max()) if other.numel() else 0.0
    return torch.allclose(one, other, rtol=0.0, atol=CLOSE.get(one.dtype, 1e-4) * max(size, 1e-6), equal_nan=True)


def _same_distribution(one: Tensor, other: Tensor) -> bool:
    """Whether means and second moments over many draws agree, as far as so many draws can tell."""
    if one.shape != other.shape or not bool(one.isfinite().all() & other.isfinite().all()):
        return False
    for power in (1, 2):
        a, b = one.double() ** power, other.double() ** power
        noise = ((a.var(0) + b.var(0)) / len(a)).sqrt() + 1e-12
        if bool(((a.mean(0) - b.mean(0)).abs() > SIGMAS * noise).any()):
            return False
    return True


if __name__ == "__main__":
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):
        answer = compare(msgspec.json.decode(sys.stdin.buffer.read(), type=Comparison))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
