"""Which variants are worth a try, given how the values reach the output, in the order of how much is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from grader.attention.projections import Layout
from grader.attention.values import ValuePath
from grader.attention.variants import ACTIVATIONS, CERTAIN, CHANGES, IDENTITY, Variant, steps_from_reference


def role_maps(
    layout: Layout, path: ValuePath, *, relaxed: bool, blind: bool = False
) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Which projections may serve as query, key and value when every one that is used serves, and how many changes
    that is.

    Args:
        layout: how the parameters are read.
        path: how the values reach the output.
        relaxed: whether one that gets no gradient may serve all the same.
        blind: whether nothing gets any, so that it is not known which are used.
    """
    if layout.sure:
        yield (0, 1, path.value), 0
        return
    used = {number for number, block in enumerate(layout.blocks) if not block.idle}
    idle = {number for number, block in enumerate(layout.blocks) if block.idle}
    if relaxed and blind:
        used, idle = set(), used | idle
    choices = [*range(len(layout.blocks)), IDENTITY]
    value_counts = path.value != IDENTITY
    for query in choices:
        for key in choices:
            serving = {number for number in (query, key, path.value) if number != IDENTITY}
            if serving != used and not (relaxed and serving >= used and serving - used <= idle):
                continue
            own = len(serving) == 3
            changes = 0 if own else _role_changes((query, key, path.value)) - (not value_counts)
            yield (query, key, path.value), changes


def _role_changes(roles: tuple[int, int, int]) -> int:
    """How many mistakes an assignment of projections is: each that is missing is one, all alike is one."""
    if len(set(roles)) == 1:
        return 1
    missing = sum(number == IDENTITY for number in roles)
    doubled = 3 - missing - len({number for number in roles if number != IDENTITY})
    return missing + doubled


def _base(path: ValuePath, roles: tuple[int, int, int]) -> Variant:
    kind = path.activation
    return Variant(
        roles=roles,
        normed=path.normed,
        activation=(kind, "v") if kind else ("", ""),
        merge=path.merge,
        projected=path.projected,
        after=path.after,
    )


def without_attention(path: ValuePath) -> Variant:
    """Every token gets what it would get alone."""
    return replace(_base(path, (IDENTITY, IDENTITY, path.value)), merge="values")


def extended(path: ValuePath, roles: tuple[int, int, int], extra: int, heads: int) -> Iterator[Variant]:
    """The variants with this path of the values and so many further changes."""
    base = _base(path, roles)
    if path.weighted:
        for softmax in CHANGES["softmax"]:
            if softmax not in CERTAIN or softmax == "relu sum":
                yield from _changed(replace(base, softmax=str(softmax)), extra - 1, path, heads)
        return
    yield from _changed(base, extra, path, heads)


def _changed(base: Variant, count: int, path: ValuePath, heads: int) -> Iterator[Variant]:
    """The variants with so many changes that one token alone does not show."""
    if count < 0:
        return
    if path.activation:
        yield from _steps(base, count, path, heads)
        if count == 0 or count == 1:
            yield from _steps(replace(base, activation=(path.activation, "qkv")), count, path, heads)
        return
    yield from _steps(base, count, path, heads)


def _steps(base: Variant, count: int, path: ValuePath, heads: int) -> Iterator[Variant]:
    steps = [each for each in steps_from_reference(heads) if _unseen_at_one_token(each, path)]
    if count > 2:
        steps = [each for each in steps if each[0] != "activation"]
    for chosen in combinations(steps, count):
        names = [step for step, _ in chosen]
        if len(set(names)) == len(names):
            yield replace(base, **dict(chosen))  # type: ignore[arg-type]


def _unseen_at_one_token(change: tuple[str, object], path: ValuePath) -> bool:
    step, value = change
    match step:
        case "normed" | "after" | "projected":
            return False
        case "activation":
            return not path.activation and isinstance(value, tuple) and "v" not in value[1] and value[0] in ACTIVATIONS
        case "softmax":
            return not path.weighted and value in CERTAIN
        case "merge":
            return path.merge == "concatenated" and value in ("raw", "heads first", "tokens first")
    return True
