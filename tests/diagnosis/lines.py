"""What all stages of a source share: lines of code, and expressions for sizes."""

from __future__ import annotations

from .plans import Hand

Lines = list[str]


def indent(lines: Lines, depth: int = 1) -> Lines:
    """The lines, one block deeper."""
    return ["    " * depth + line if line else line for line in lines]


def size(name: str, hand: Hand, layout: str) -> str:
    """An expression for one of the sizes."""
    return {
        "head_dim": hand.width,
        "embed": "self.$embed_dim",
        "heads": "self.$num_heads",
        "seq": "$q.shape[1]" if layout in ("sides", "alone", "folded") else "$q.shape[-2]",
        "batch": "$q.shape[0] // self.$num_heads" if layout == "folded" else "$q.shape[0]",
    }[name]
