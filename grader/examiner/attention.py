"""A student's module whose mathematics is known: which parameter plays which role, and what the output should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from grader.attention import (
    TOLERANCE,
    Roles,
    Weights,
    draw_tokens,
    find_roles,
    fit_scale,
    self_attention,
)
from grader.checks.faults import WrongResult
from grader.examiner.module import Module

BIND_GAIN: Final = 1.0
"""Standard deviation of what a projection makes of a standard normal token; roles are found best at 1 or below."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Which learnable tensors play which role, and the constant the scores are multiplied by, as far as known."""

    roles: Roles
    scale: float | None
    candidates: tuple[Roles, ...]


class Attention(Module):
    """A built attention module, with the reference for its outputs."""

    _weights: tuple[int, Weights] | None = None

    @property
    def binding(self) -> Binding | None:
        """Roles and scale, found once for each set of contract arguments; None when the parameters fit no roles."""
        shapes = tuple((leaf.path, leaf.shape) for leaf in self.leaves)
        key = ("binding", self.config.get("num_heads"), shapes)
        if key not in self._session.memory:
            self._session.memory[key] = self._bind()
        binding: Binding | None = self._session.memory[key]
        return binding

    @property
    def weights(self) -> Weights:
        """The loaded values in their roles. Raises `WrongResult` when the parameters fit no roles."""
        if self.binding is None:
            raise WrongResult(
                "The output is not what attention would make of this module's parameters: no way was found in which"
                " they act as query, key and value projections (and an output projection)."
            )
        if self._weights is None or self._weights[0] != self.version:
            self._weights = (self.version, self.binding.roles.weights(self._values))
        return self._weights[1]

    @property
    def scale(self) -> float | None:
        """The constant its scores are multiplied by, or None when no constant explains its output."""
        return self.binding.scale if self.binding else None

    def give_all_values_one_direction(self, generator: torch.Generator) -> Tensor | None:
        """Change the loaded value projections so that every feature of every value is the same number.

        Then tokens that agree in one direction carry equal values, and splitting or merging heads the wrong way moves
        nothing but equal numbers around.

        Returns:
            the direction, `(embed,)` of length 1, or None when it is not known which parameters are the value
            projections.
        """
        if self.binding is None:
            return None
        direction = torch.randn(self.embed_dim, dtype=torch.float64, generator=generator)
        direction /= direction.norm()
        roles = self.binding.roles
        flat = torch.cat([self._values[leaf.path].flatten() for leaf in roles.leaves])
        flat[roles.value_places] = direction.expand(roles.value_places.shape)
        flat[roles.value_bias_places] = 0.5
        pieces = torch.split(flat, [leaf.size for leaf in roles.leaves])
        self.load({leaf.path: piece.view(leaf.shape) for leaf, piece in zip(roles.leaves, pieces, strict=True)})
        return direction

    def expected(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the reference makes of the same weights, with the module's own scale of the scores: a wrong scale is one
        mistake, and has a check of its own. `(batch, seq, embed)` in float64."""
        return self_attention(x.double(), self.weights, mask, scale=self.scale_for(x))

    def scale_for(self, x: Tensor) -> float | None:
        """The scale it uses for inputs of this shape, in eval mode: a wrong one may depend on the sizes."""
        right = float(self.weights.d_k**-0.5)
        if self.scale is None or abs(self.scale / right - 1) < TOLERANCE[torch.float32]:
            return right
        batch, seq, embed = x.shape
        probe = draw_tokens(batch, seq, embed, torch.Generator().manual_seed(9))  # x itself may saturate the softmax
        refitted = fit_scale(self(probe).double(), probe, self.weights, tolerance=TOLERANCE[self._manner.dtype])
        return self.scale if refitted is None else refitted

    def _bind(self) -> Binding | None:
        """Find the roles with the values it has; if these do not explain its output, with gentler ones."""
        generator = torch.Generator().manual_seed(5)
        binding = self._bind_with(self._values, generator)
        if binding is not None and binding.scale is not None:
            return binding
        kept = self.values
        self.load(self.draw(BIND_GAIN, generator))
        try:
            return self._bind_with(self._values, generator) or binding
        finally:
            self.load(kept)

    def _bind_with(self, values: Mapping[str, Tensor], generator: torch.Generator) -> Binding | None:
        heads = int(self.config.get("num_heads", 1))
        found = find_roles(values, self.probe, embed_dim=self.embed_dim, num_heads=heads, generator=generator)
        if not found:
            return None
        x = draw_tokens(3, 7, self.embed_dim, generator)
        output = self(x).double()
        for roles in found:
            scale = fit_scale(output, x, roles.weights(values), tolerance=TOLERANCE[self.dtype])
            if scale is not None:
                return Binding(roles, scale, found)
        return Binding(found[0], None, found)

    def probe(self, x: Tensor, cotangents: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The output and the gradients of all its learnable tensors, zeros where there are none."""
        output, gradients, _ = self.slopes(x, cotangents, forgiving=True)
        full = {
            path: gradients[path].double() if path in gradients else torch.zeros(len(cotangents), *value.shape).double()
            for path, value in self._values.items()
        }
        return output.double(), full
