"""One module of a student's class, in another process: call it, load it, differentiate it.

Tensors go in, ordinary tensors of the module's working precision come out. What the class wants to be called like was
found out before (`grader.examiner.student`); here it is only obeyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from grader import tensors, wire
from grader.attention import TOLERANCE, draw_tokens, draw_values, padding_mask, relative_error
from grader.checks.faults import Fault, Killed, TimedOut, WrongResult
from grader.examiner.adapting import Plan
from grader.examiner.answers import Unfit, Way, decoded, decoded_array, first_tensor, follow, pick, wrong_result
from grader.examiner.session import Session

CHECK_GAIN: Final = 1.4
"""Standard deviation of what a projection makes of a standard normal token, where faults are farthest apart."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What was found out about how a class wants to be called.

    Attributes:
        dtype: float64, or float32 for code that only works in it.
        batched: whether it takes `(batch, seq, embed)`; otherwise it gets one `(seq, embed)` sample at a time.
    """

    dtype: torch.dtype
    batched: bool


class Module:
    """A built module.

    Attributes:
        leaves: its learnable tensors, as it lists them.
        config: the contract arguments it was built with.
        generation: the worker it lives in.
        is_untouched: whether nothing but calls happened to it since it was prepared.
    """

    def __init__(
        self, session: Session, built: wire.Built, plan: Plan, config: dict[str, float], manner: Manner
    ) -> None:
        self._session = session
        self._module = built.module
        self._plan = plan
        self._manner = manner
        self._values: dict[str, Tensor] = {}
        self.version = 0  # counts the times its values were set
        self.generation = session.generation
        self.is_untouched = True
        self.leaves = built.leaves
        self.config = config

    # -- calling it ----------------------------------------------------------------------------------------------------

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The output for `x` `(batch, seq, embed)`: always of the shape of `x`, otherwise a `WrongResult`."""
        answer = self.answer(x, mask)
        if isinstance(answer, Tensor):
            return answer
        raise wrong_result(answer)

    def with_raw_mask(self, x: Tensor, mask: Tensor) -> Tensor:
        """The output under a mask that is handed over in its own dtype, whatever dtype suits the class."""
        suits = self._mask_dtype()
        try:
            self._session.memory["mask dtype"] = mask.dtype
            return self(x, mask)
        finally:
            self._session.memory["mask dtype"] = suits

    def answer(self, x: Tensor, mask: Tensor | None = None) -> Tensor | Unfit:
        """What it returned: the tensor of the shape of `x` in it if there is one, else the value as it came."""
        if self._manner.batched:
            value = self._call(x, mask)
            found = pick(value, tuple(x.shape))
            self._remember_way(found)
            return Unfit(value, tuple(x.shape)) if found is None else follow(value, found)
        samples = []
        for index, sample in enumerate(x):
            value = self._call(sample, None if mask is None else _of_sample(mask, index, x))
            found = pick(value, tuple(sample.shape))
            self._remember_way(found)
            if found is None:
                return Unfit(value, tuple(sample.shape))
            samples.append(follow(value, found))
        return torch.stack(samples)

    def _remember_way(self, way: Way | None) -> None:
        """Remember where in what it returns the output is, if it returns more than that."""
        if way:
            self._session.memory["way"] = way

    @property
    def batched(self) -> bool:
        """Whether it takes a batch at all; if not, samples are handed in one by one."""
        return self._manner.batched

    @property
    def takes_mask(self) -> bool:
        """Whether `forward` has a parameter for the mask."""
        return "mask" not in self._plan.missing

    @property
    def dtype(self) -> torch.dtype:
        """The working precision."""
        return self._manner.dtype

    @property
    def embed_dim(self) -> int:
        """The width it was built for."""
        return int(self.config["embed_dim"])

    def around_call(self, x: Tensor, mask: Tensor | None = None) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The tensors that are handed in, before the call and after it."""
        if not self._manner.batched:
            x, mask = x[0], None if mask is None else _of_sample(mask, 0, x)
        values = self._arguments(x, mask)
        args, kwargs = self._plan.arguments(values)
        before = [decoded(value) for value in (*args, *kwargs.values())]
        _, after = self._send(values, echo=True)
        return _tensors(before), _tensors(after)

    def on_device(self, device: str, shape: tuple[int, ...]) -> object:
        """Move the module to a device without data (`meta`) and call it there with an input of this shape."""
        self._done(lambda seconds: wire.Convert(self._module, None, device, reach=False, seconds=seconds))
        hollow = wire.Hollow("float32", shape if self._manner.batched else shape[1:], device)
        args, kwargs = self._plan.arguments({"x": hollow})
        returned = self._session.ask(lambda s: wire.Call(self._module, args, kwargs, False, s), wire.Returned)
        return first_tensor(decoded(returned.value))

    def trace(self, x: Tensor, mask: Tensor | None = None) -> wire.Traced:
        """What torch functions it says it calls for `x` `(batch, seq, embed)`, or for its first sample."""
        if not self._manner.batched:
            x, mask = x[0], None if mask is None else _of_sample(mask, 0, x)
        args, kwargs = self._plan.arguments(self._arguments(x, mask))
        traced: wire.Traced = self._session.ask(lambda s: wire.Trace(self._module, args, kwargs, s), wire.Traced)
        return traced

    def _call(self, x: Tensor, mask: Tensor | None) -> object:
        value, _ = self._send(self._arguments(x, mask), echo=False)
        return value

    def _arguments(self, x: Tensor, mask: Tensor | None) -> dict[str, wire.Value]:
        values: dict[str, wire.Value] = {"x": tensors.encode_tensor(x.to(self._manner.dtype))}
        if mask is not None:
            if not self.takes_mask:
                raise WrongResult(
                    "forward takes no mask argument, so nothing can be masked.", finding="mask-not-accepted"
                )
            values["mask"] = tensors.encode_tensor(mask.to(self._mask_dtype()))
        self._session.memory["config"] = self.config
        return values

    def _send(self, values: dict[str, wire.Value], *, echo: bool) -> tuple[object, list[object]]:
        args, kwargs = self._plan.arguments(values)
        returned = self._session.ask(lambda s: wire.Call(self._module, args, kwargs, echo, s), wire.Returned)
        return decoded(returned.value), [decoded(item) for item in returned.echo]

    def _mask_dtype(self) -> torch.dtype:
        """The dtype of masks this class handles: boolean unless only numbers work. Found once per submission."""
        memory = self._session.memory
        if "mask dtype" not in memory:
            memory["mask dtype"] = torch.bool  # what the trial calls use first, and what is used when nothing works
            for dtype in (torch.bool, self._manner.dtype, torch.int64):
                memory["mask dtype"] = dtype
                if self._respects_masks():
                    break
            else:
                memory["mask dtype"] = torch.bool
        dtype_: torch.dtype = memory["mask dtype"]
        return dtype_

    def _respects_masks(self) -> bool:
        """Whether the outputs of visible tokens stay the same when hidden ones change."""
        x = draw_tokens(2, 5, self.embed_dim, torch.Generator().manual_seed(3))
        other = x.clone()
        other[0, 3:] += 1.0
        other[1, 4:] += 1.0
        mask = padding_mask(torch.tensor([3, 4]), 5, expand=True)
        try:
            before, after = self(x, mask), self(other, mask)
        except (TimedOut, Killed):
            raise
        except Fault:
            return False
        return relative_error(after[:, :3], before[:, :3]) <= TOLERANCE[torch.float32]

    # -- its state -----------------------------------------------------------------------------------------------------

    def prepare(self, manner: Manner, generator: torch.Generator) -> None:
        """Eval mode, working precision, drawn weights, also for tensors the module does not know it has."""
        self._manner = manner
        dtype = tensors.NAMES[manner.dtype]
        if any(leaf.shape is None for leaf in self.leaves):  # lazy layers know their shape after the first call
            self.as_called_once()
        self._done(lambda seconds: wire.Convert(self._module, dtype, None, reach=True, seconds=seconds))
        self.eval()
        self.load(self.draw(CHECK_GAIN, generator))
        self.is_untouched = True

    def as_called_once(self) -> None:
        """Call it once in single precision, so that lazy layers materialise, and list its leaves again."""
        x = torch.zeros(1, 2, self.embed_dim)
        args, kwargs = self._plan.arguments({"x": tensors.encode_tensor(x if self._manner.batched else x[0])})
        self._session.ask(lambda seconds: wire.Call(self._module, args, kwargs, False, seconds), wire.Returned)
        self.leaves = self._session.ask(lambda seconds: wire.Survey(self._module, seconds), wire.Built).leaves

    def draw(self, gain: float, generator: torch.Generator) -> dict[str, Tensor]:
        """Random values for all its learnable tensors."""
        return draw_values(self.shapes or {}, embed_dim=self.embed_dim, gain=gain, generator=generator)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]] | None:
        """The shapes of what weights are drawn for, by path; None while a lazy layer has none."""
        if any(leaf.shape is None for leaf in self.leaves):
            return None
        return {leaf.path: leaf.shape for leaf in self.leaves if leaf.shape is not None and "float" in leaf.dtype}

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Set its learnable tensors. The reference for its outputs uses the same values from now on."""
        arrays = encode_values(values, self._manner.dtype)
        self._done(lambda seconds: wire.Load(self._module, arrays, seconds))
        self.remember(values)

    def remember(self, values: Mapping[str, Tensor]) -> None:
        """Know what its learnable tensors were set to, after rounding to the working precision."""
        self.version += 1
        self._values.update((path, value.to(self._manner.dtype).double()) for path, value in values.items())

    @property
    def values(self) -> dict[str, Tensor]:
        """What was loaded last, by path."""
        return dict(self._values)

    def train(self) -> None:
        """Switch to training mode: dropout acts."""
        self._done(lambda seconds: wire.Switch(self._module, training=True, seconds=seconds))

    def eval(self) -> None:
        """Switch to evaluation mode: dropout rests."""
        self._done(lambda seconds: wire.Switch(self._module, training=False, seconds=seconds))

    def to(self, dtype: torch.dtype) -> None:
        """Convert what the module itself converts; what it does not know it has stays behind."""
        self._done(lambda s: wire.Convert(self._module, tensors.NAMES[dtype], None, reach=False, seconds=s))
        self._manner = Manner(dtype, self._manner.batched)

    def _done(self, build: Any) -> None:
        self.is_untouched = False
        self._session.ask(build, wire.Done)

    # -- its gradients -------------------------------------------------------------------------------------------------

    def slopes(
        self, x: Tensor, cotangents: Tensor, mask: Tensor | None = None, *, forgiving: bool = False
    ) -> tuple[Tensor, dict[str, Tensor], tuple[str, ...]]:
        """Outputs, gradients and unreached leaves.

        Args:
            x: `(batch, seq, embed)`.
            cotangents: `(n, batch, seq, embed)`; the i-th loss is `sum(cotangents[i] * output)`.
            mask: broadcasts to `(batch, seq, seq)`; handed over as it is.
            forgiving: whether to overlook that a value the backward pass needs was overwritten in place.

        Returns:
            the output `(batch, seq, embed)`; the gradients `(n, *leaf.shape)` by path; the paths that no gradient
            reaches.
        """
        if self._manner.batched:
            return self._slopes(x, cotangents, mask, forgiving)
        masks = [None if mask is None else _of_sample(mask, i, x) for i in range(len(x))]
        outputs, gradients, missed = zip(
            *(self._slopes(x[i], cotangents[:, i], masks[i], forgiving) for i in range(len(x))), strict=True
        )
        paths = {path for found in gradients for path in found}
        summed = {path: sum(found[path] for found in gradients if path in found) for path in paths}
        return torch.stack(outputs), summed, tuple(set(missed[0]) - paths)

    def _slopes(
        self, x: Tensor, cotangents: Tensor, mask: Tensor | None, forgiving: bool
    ) -> tuple[Tensor, dict[str, Tensor], tuple[str, ...]]:
        shape = tuple(cotangents.shape[1:])
        known = ("pick", shape == tuple(x.shape))
        way = pick(self._call(x, None), shape) if known not in self._session.memory else None
        way = self._session.memory.setdefault(known, way)
        if way is None:
            del self._session.memory[known]
            raise wrong_result(Unfit(self._call(x, None), tuple(x.shape)))
        values: dict[str, wire.Value] = {"x": tensors.encode_tensor(x.to(self._manner.dtype))}
        if mask is not None:
            values["mask"] = tensors.encode_tensor(mask)
        args, kwargs = self._plan.arguments(values)
        sent = tensors.encode_tensor(cotangents.to(self._manner.dtype))
        assert isinstance(sent, wire.Array)

        def question(seconds: float) -> wire.Differentiate:
            return wire.Differentiate(self._module, args, kwargs, way, sent, forgiving, seconds)

        slopes = self._session.ask(question, wire.Slopes)
        output = decoded(slopes.output)
        if not isinstance(output, Tensor) or tuple(output.shape) != shape or not output.is_floating_point():
            raise wrong_result(Unfit(output, shape))
        return output, self._gradients(slopes, len(cotangents)), slopes.untouched

    def _gradients(self, slopes: wire.Slopes, count: int) -> dict[str, Tensor]:
        """The gradients by path, as floating tensors `(count, *leaf.shape)`; anything else is the worker's fault."""
        shapes = {leaf.path: leaf.shape for leaf in self.leaves}
        gradients = {path: decoded_array(array) for path, array in slopes.gradients.items()}
        for path, gradient in gradients.items():
            if tuple(gradient.shape) != (count, *(shapes.get(path) or ())) or not gradient.is_floating_point():
                raise Killed("The process sent gradients that do not belong to its parameters.")
        return gradients


def encode_values(values: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, wire.Array]:
    """Tensors by path, as they cross the wire."""
    encoded = {path: tensors.encode_tensor(value.to(dtype)) for path, value in values.items()}
    return {path: array for path, array in encoded.items() if isinstance(array, wire.Array)}


def _of_sample(mask: Tensor, index: int, x: Tensor) -> Tensor:
    batch, seq, _ = x.shape
    return mask.expand(batch, seq, seq)[index]


def _tensors(values: list[object]) -> tuple[Tensor, ...]:
    return tuple(value for value in values if isinstance(value, Tensor))
