"""The few ways to cut a table of rows into blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def arrangements(groups: Sequence[Tensor], embed: int, heads: int) -> Iterator[tuple[str, list[Tensor]]]:
    """The ways to cut the groups of rows into blocks: one after the other, head by head, or feature by feature."""
    if not groups:
        yield "nothing", []
        return
    alike = len(groups) > 2 and len({len(rows) for rows in groups}) == 1
    for name in ("stacked", "per head", "per feature") if heads > 1 else ("stacked", "per feature"):
        blocks = [piece for rows in groups for piece in ([rows] if alike else _pieces(rows, embed, heads, name))]
        if blocks and (name == "stacked" or len(blocks) > len(groups)):
            yield name, blocks
    if heads == 1:
        return
    table = torch.cat(list(groups))
    if len(groups) > 1 and any(len(rows) * heads == embed for rows in groups):
        yield "one head for all", [rows.repeat(heads) if len(rows) * heads == embed else rows for rows in groups]
    count, rest = divmod(len(table) * heads, embed)
    if not rest and count <= 3:
        yield "one head for all, stacked", [piece.repeat(heads) for piece in table.view(count, -1)]
    if len(table) == 3 * heads * embed:
        yield "full width, stacked", [*table.view(3, -1)]
        yield "full width, per head", [*table.view(heads, 3, -1).transpose(0, 1).flatten(1)]


def _pieces(rows: Tensor, embed: int, heads: int, name: str) -> list[Tensor]:
    count, rest = divmod(len(rows), embed)
    if rest or count < 2 or count > 3:
        return [rows]
    match name:
        case "per head":
            return [*rows.view(heads, count, -1).transpose(0, 1).flatten(1)]
        case "per feature":
            return [*rows.view(-1, count).T]
    return [*rows.view(count, -1)]


def joined(tables: list[Tensor], embed: int) -> list[Tensor]:
    """Runs of equal tables that are less than a block, as one."""
    groups: list[Tensor] = []
    size = -1
    for rows in tables:
        if groups and len(rows) == size < embed:
            groups[-1] = torch.cat((groups[-1], rows))
        else:
            groups.append(rows)
        size = len(rows)
    return groups
