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


class Attention(Module):
    """A built attention module, with the reference for its outputs."""

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
        return self.binding.roles.weights(self._values)

    @property
    def scale(self) -> float | None:
        """The constant its scores are multiplied by, or None when no constant explains its output."""
        return self.binding.scale if self.binding else None

    def give_values_a_null_space(self, generator: torch.Generator) -> Tensor | None:
        """Change the loaded value projections so that they do not see half of the directions of a token.

        Returns:
            an orthonormal basis of the unseen directions, `(embed // 2, embed)`, or None when it is not known which
            parameters are the value projections.
        """
        if self.binding is None:
            return None
        noise = torch.randn(self.embed_dim, self.embed_dim // 2, dtype=torch.float64, generator=generator)
        unseen: Tensor = torch.linalg.qr(noise).Q.T  # (embed // 2, embed)
        value = self.weights.value  # (heads, d_v, embed)
        blind = value - (value @ unseen.T) @ unseen
        starts, total = {}, 0
        for path, tensor in self._values.items():
            starts[path], total = total, total + tensor.numel()
        numbers = {p: torch.arange(v.numel()).double().view(v.shape) + starts[p] for p, v in self._values.items()}
        places = self.binding.roles.weights(numbers).value.long()  # where each element of the value rows is kept
        flat = torch.cat([tensor.flatten() for tensor in self._values.values()])
        flat[places] = blind
        sizes = [tensor.numel() for tensor in self._values.values()]
        pieces = zip(self._values.items(), torch.split(flat, sizes), strict=True)
        self.load({path: piece.view(tensor.shape) for (path, tensor), piece in pieces})
        return unseen

    def expected(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the reference makes of the same weights, with the module's own scale of the scores: a wrong scale is one
        mistake, and has a check of its own. `(batch, seq, embed)` in float64."""
        return self_attention(x.double(), self.weights, mask, scale=self.scale_for(x))

    def scale_for(self, x: Tensor) -> float | None:
        """The scale it uses for this input, in eval mode: a wrong one may depend on the sizes."""
        right = float(self.weights.d_k**-0.5)
        if self.scale is None or abs(self.scale / right - 1) < TOLERANCE[torch.float32]:
            return right
        refitted = fit_scale(self(x).double(), x.double(), self.weights, tolerance=TOLERANCE[self._manner.dtype])
        return self.scale if refitted is None else refitted

    def _bind(self) -> Binding | None:
        generator = torch.Generator().manual_seed(5)
        kept = self.values
        values = self.draw(BIND_GAIN, generator)
        self.load(values)
        try:
            found = find_roles(
                values,
                self._probe,
                embed_dim=self.embed_dim,
                num_heads=int(self.config.get("num_heads", 1)),
                generator=generator,
            )
            if not found:
                return None
            x = draw_tokens(3, 7, self.embed_dim, generator)
            output = self(x).double()
        finally:
            self.load(kept)
        for roles in found:
            scale = fit_scale(output, x, roles.weights(values), tolerance=TOLERANCE[self._manner.dtype])
            if scale is not None:
                return Binding(roles, scale)
        return Binding(found[0], None)

    def _probe(self, x: Tensor, cotangents: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        output, gradients, _ = self.slopes(x, cotangents, forgiving=True)
        full = {
            path: gradients[path].double() if path in gradients else torch.zeros(len(cotangents), *value.shape).double()
            for path, value in self._values.items()
        }
        return output.double(), full
