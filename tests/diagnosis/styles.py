"""The styles: how a student may lay out the layers and the axes of the heads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Style:
    """Where the weights of q, k and v stand, and where the axes of the heads are.

    Attributes:
        name: what the tables call it.
        projection: separate, stacked, kv, interleaved, in_out, einsum, modules or lists.
        layout: heads, sides, folded, loop (heads one after the other) or alone (there is one head).
    """

    name: str
    projection: str
    layout: str

    @property
    def heads(self) -> bool:
        """Whether the class has heads at all."""
        return self.layout != "alone"

    @property
    def per_head(self) -> bool:
        """Whether every head has layers of its own."""
        return self.projection in ("modules", "lists")

    @property
    def raw(self) -> bool:
        """Whether the weights are parameters, not layers."""
        return self.projection in ("in_out", "einsum")


STYLES = {
    style.name: style
    for style in (
        Style(name="separate", projection="separate", layout="heads"),
        Style(name="stacked", projection="stacked", layout="heads"),
        Style(name="interleaved", projection="interleaved", layout="heads"),
        Style(name="head-modules", projection="modules", layout="loop"),
        Style(name="layer-lists", projection="lists", layout="loop"),
        Style(name="matrices", projection="in_out", layout="heads"),
        Style(name="head-matrices", projection="einsum", layout="heads"),
        Style(name="folded", projection="separate", layout="folded"),
        Style(name="folded-stacked", projection="stacked", layout="folded"),
        Style(name="sides", projection="separate", layout="sides"),
        Style(name="key-value", projection="kv", layout="heads"),
        Style(name="slices", projection="separate", layout="loop"),
    )
}
ONE_HEAD = {
    style.name: style
    for style in (
        Style(name="one-separate", projection="separate", layout="alone"),
        Style(name="one-stacked", projection="stacked", layout="alone"),
        Style(name="one-matrices", projection="in_out", layout="alone"),
        Style(name="one-key-value", projection="kv", layout="alone"),
    )
}
