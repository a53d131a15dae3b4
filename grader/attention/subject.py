"""The module under diagnosis, however it is reached: in this process, or in another behind a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from grader import leaves
from grader.attention.drawing import draw_values


class NoAnswer(Exception):
    """The module raised, or returned something that is no tensor."""


class Subject(Protocol):
    """A built module, in evaluation mode."""

    @property
    def embed_dim(self) -> int:
        """The width it was built for."""

    @property
    def num_heads(self) -> int:
        """The number of heads it was built with."""

    @property
    def values(self) -> Mapping[str, Tensor]:
        """What its learnable tensors were last set to, by path: float64, in the order of definition."""

    @property
    def unregistered(self) -> tuple[str, ...]:
        """The paths of learnable tensors that `parameters()` does not find."""

    @property
    def is_narrow(self) -> bool:
        """Whether its output was seen to have less than the precision of its input."""

    @property
    def wrote_to_input(self) -> bool:
        """Whether it was seen to change a tensor that was handed in."""

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Set its learnable tensors."""

    def train(self) -> None:
        """Switch to training mode: dropout acts."""

    def eval(self) -> None:
        """Switch to evaluation mode."""

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """What it makes of `x` `(batch, seq, embed)`, float64, of any shape. Raises `NoAnswer`."""

    def probe(self, x: Tensor, cotangents: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The output and the gradients, as `experiment.Probe` wants them. Raises `NoAnswer`."""


class Factory(Protocol):
    """Builds subjects, each with values drawn for it."""

    def __call__(self, embed_dim: int, num_heads: int, *, dropout: float = 0.0) -> Subject:
        """One of this width, with so many heads. Raises `NoAnswer` where that cannot be."""


class LocalSubject:
    """A module in this process."""

    def __init__(self, module: nn.Module, *, embed_dim: int, num_heads: int, generator: torch.Generator) -> None:
        self._module = module
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.wrote_to_input = False
        self.is_narrow = False
        leaves.convert(module, dtype=torch.float64, device=None, reach=True)
        leaves.switch(module, training=False)
        if any(leaves.is_lazy(leaf) for _, leaf, _ in leaves.walk(module)):
            self._returned(torch.zeros(1, 2, embed_dim, dtype=torch.float64), None)
        self._leaves = {path: leaf for path, leaf, _ in leaves.walk(module) if leaves.has_values(leaf)}
        self.unregistered = tuple(path for path, _, registered in leaves.walk(module) if not registered)
        shapes = {path: tuple(leaf.shape) for path, leaf in self._leaves.items()}
        self.values: dict[str, Tensor] = {}
        self.load(draw_values(shapes, embed_dim=embed_dim, gain=1.2, generator=generator))

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Set its learnable tensors."""
        with torch.no_grad():
            for path, value in values.items():
                self._leaves[path].copy_(value)
        self.values = {**self.values, **{path: value.clone() for path, value in values.items()}}

    def train(self) -> None:
        """Switch to training mode, modules it does not know it has included."""
        leaves.switch(self._module, training=True)

    def eval(self) -> None:
        """Switch to evaluation mode."""
        leaves.switch(self._module, training=False)

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The first tensor it returns."""
        handed = x.clone()
        with torch.no_grad():
            output = self._returned(handed, None if mask is None else mask.clone()).detach()
        self.is_narrow = self.is_narrow or output.dtype is not torch.float64
        output = output.double()
        self.wrote_to_input = self.wrote_to_input or not torch.equal(handed, x)
        return output.clone()

    def probe(self, x: Tensor, cotangents: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The output and the gradients of its learnable tensors."""
        asked = [leaf.requires_grad for leaf in self._leaves.values()]
        try:
            for leaf in self._leaves.values():
                leaf.requires_grad_(True)
            with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda kept: kept):
                output = self._returned(x.clone(), None)
            rows = [self._gradients(output, cotangent) for cotangent in cotangents]
        finally:
            for leaf, before in zip(self._leaves.values(), asked, strict=True):
                leaf.requires_grad_(before)
        columns = zip(*rows, strict=True)
        return output.detach(), {path: torch.stack(slopes) for path, slopes in zip(self._leaves, columns, strict=True)}

    def _gradients(self, output: Tensor, cotangent: Tensor) -> tuple[Tensor, ...]:
        try:
            return torch.autograd.grad(
                output,
                list(self._leaves.values()),
                cotangent.to(output.dtype),
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        except (RuntimeError, ValueError) as error:
            raise NoAnswer(str(error)) from None

    def _returned(self, x: Tensor, mask: Tensor | None) -> Tensor:
        try:
            value: Any = self._module(x) if mask is None else self._module(x, mask)
        except Exception as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from None
        found = _first_tensor(value, tuple(x.shape))
        if found is None or not has_numbers(found):
            raise NoAnswer(f"it returned a {type(value).__name__}")
        return found


def has_numbers(returned: Tensor) -> bool:
    """Whether there is anything to compare in a tensor: real numbers, at hand, along at least one axis."""
    at_hand = returned.layout is torch.strided and returned.device.type == "cpu"
    return returned.is_floating_point() and at_hand and returned.dim() > 0 and returned.numel() > 0


def _first_tensor(value: Any, shape: tuple[int, ...]) -> Tensor | None:
    """The tensor of this shape in a returned value; else the first there is."""
    items = value if isinstance(value, tuple | list) else value.values() if isinstance(value, dict) else (value,)
    tensors = [item for item in items if isinstance(item, Tensor)]
    return next((item for item in tensors if tuple(item.shape) == shape), tensors[0] if tensors else None)
