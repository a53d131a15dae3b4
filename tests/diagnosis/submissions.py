"""Everything that is diagnosed: one mistake, two, three, none, and modules that are no plain attention.

The lists are the same on every machine: what is drawn is drawn from a submission's name. Another drawing, by number,
makes other lists of the same kind: other styles and ways, hands and pairs.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from . import foreign, plain
from .fitting import fits, possible, styles_for
from .mistakes import BY_ID, MISTAKES, Mistake, planned
from .plans import Hand, Plan, hand_of
from .styles import ONE_HEAD, STYLES, Style
from .writing import write

STYLES_PER_ID = 7
FEWEST = 4
PAIRS = 320
TRIPLES = 60
KINDS = ("singles", "facts", "one-head", "pairs", "triples", "correct", "foreign")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A source text, and what is wrong with it.

    Attributes:
        name: what it is called: `kind/mistakes/style/number`.
        kind: one of `KINDS`.
        style: the style's name; for what was written by hand, what it is.
        source: the text.
        planted: the names of its mistakes.
        heads: whether the class has heads.
        true_of_it: ids that may be claimed although nothing was planted.
        hand: how it is written; None for what was written by hand.
    """

    name: str
    kind: str
    style: str
    source: str
    planted: tuple[str, ...] = ()
    heads: bool = True
    true_of_it: frozenset[str] = frozenset()
    hand: Hand | None = None

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Its mistakes."""
        return tuple(MISTAKES[name] for name in self.planted)


def composed(kind: str, style: Style, mistakes: tuple[Mistake, ...], number: int, drawing: int = 0) -> Submission:
    """A submission with mistakes."""
    name = f"{kind}/{'+'.join(entry.name for entry in mistakes)}/{style.name}/{numbered(number, drawing)}"
    hand = hand_of(name)
    return Submission(
        name=name,
        kind=kind,
        style=style.name,
        source=write(style, planned(mistakes), hand),
        planted=tuple(entry.name for entry in mistakes),
        heads=style.heads,
        hand=hand,
    )


def numbered(number: int, drawing: int) -> str:
    """A number that is another one in every drawing."""
    return f"{drawing}.{number}" if drawing else str(number)


# -- one mistake -------------------------------------------------------------------------------------------------------


def by_style(entries: tuple[Mistake, ...], *, heads: bool, start: int, drawing: int) -> Iterator[tuple[Style, Mistake]]:
    """Styles in turn, from another one for every id, each with the way that was written least so far."""
    written: Counter[str] = Counter()
    start, first = start + 5 * drawing, drawing % len(entries)
    entries = entries[first:] + entries[:first]
    styles = list((STYLES if heads else ONE_HEAD).values())
    for style in styles[start % len(styles) :] + styles[: start % len(styles)]:
        fitting = [entry for entry in entries if fits(entry, style)]
        if fitting:
            entry = min(fitting, key=lambda each: written[each.name])
            written[entry.name] += 1
            yield style, entry


@cache
def singles(drawing: int = 0) -> tuple[Submission, ...]:
    """Every id in several styles, and every way to make it at least once."""
    found = []
    for start, entries in enumerate(BY_ID.values()):
        chosen = list(itertools.islice(by_style(entries, heads=True, start=start, drawing=drawing), STYLES_PER_ID))
        missing = [entry for entry in entries if entry not in {made for _, made in chosen}]
        chosen += [(styles_for(entry)[start % len(styles_for(entry))], entry) for entry in missing if styles_for(entry)]
        while 0 < len(chosen) < FEWEST:
            chosen += chosen[: FEWEST - len(chosen)]
        for number, (style, entry) in enumerate(chosen):
            kind = "facts" if entry.fact else "singles"
            found.append(composed(kind, style, (entry,), number, drawing))
    return tuple(found)


@cache
def one_head(drawing: int = 0) -> tuple[Submission, ...]:
    """The same for classes with one head."""
    found = []
    for start, entries in enumerate(BY_ID.values()):
        wanted = 1 if all(entry.fact for entry in entries) else 2
        chosen = itertools.islice(by_style(entries, heads=False, start=start, drawing=drawing), wanted)
        for number, (style, entry) in enumerate(chosen):
            if not entry.fact:
                found.append(composed("one-head", style, (entry,), number, drawing))
    return tuple(found)


# -- several mistakes --------------------------------------------------------------------------------------------------

ALONE = {
    "parameters-made-in-forward",
    "not-repeatable",
    "hard-coded-size",
    "heads-concatenated-wrong-dim",
    "hard-coded-dtype",
    "hard-coded-device",
}
"""What leaves nothing to be seen of another mistake."""
UNSEEN = {"output-rounded", "gradients-detached"}
"""What cannot be seen of each other: nothing gets a gradient through a rounded output."""
BESIDE = {"gradients-detached", "heads-python-list", "parameters-unregistered", "softmax-unstable"}
"""What is no other function but can stand beside one."""


def together(entries: tuple[Mistake, ...]) -> bool:
    """Whether mistakes can be made at once, and each still be there."""
    axes = [axis for entry in entries for axis in entry.axes]
    masks = any("mask" in entry.axes for entry in entries)
    return (
        len(axes) == len(set(axes))
        and not any(entry.id in ALONE or not entry.shape for entry in entries)
        and not {entry.id for entry in entries} >= UNSEEN
        and any(entry.numeric for entry in entries)
        and all(entry.numeric or entry.id in BESIDE for entry in entries)
        and not (masks and not all(entry.masked for entry in entries))
    )


def several(kind: str, number: int, wanted: int, drawing: int) -> tuple[Submission, ...]:
    """Sets of ids in a drawn order, each made once, in a drawn style and way."""
    draw = random.Random(f"{kind}, drawn {drawing or 'once'}")
    if number == 2:
        sets = list(itertools.combinations(BY_ID, number))
        draw.shuffle(sets)
    else:
        sets = [tuple(draw.sample(list(BY_ID), number)) for _ in range(40 * wanted)]
    found: list[Submission] = []
    for ids in sets:
        ways = [
            entries for entries in itertools.product(*(BY_ID[identifier] for identifier in ids)) if together(entries)
        ]
        places = [(style, way) for way in ways for style in STYLES.values() if possible(style, planned(way))]
        if places:
            style, way = draw.choice(places)
            found.append(composed(kind, style, way, 0, drawing))
        if len(found) == wanted:
            break
    return tuple(found)


@cache
def pairs(drawing: int = 0) -> tuple[Submission, ...]:
    """Two mistakes at once."""
    return several("pairs", 2, PAIRS, drawing)


@cache
def triples(drawing: int = 0) -> tuple[Submission, ...]:
    """Three mistakes at once."""
    return several("triples", 3, TRIPLES, drawing)


# -- no mistake --------------------------------------------------------------------------------------------------------

RELABELLED: tuple[tuple[str, dict[str, object], dict[str, object]], ...] = (
    ("q and k exchanged", {"roles": "kqv"}, {}),
    ("all three roles exchanged", {"roles": "vqk"}, {}),
    ("heads of v in another order", {"split": "reversed"}, {}),
    ("strided heads", {"split": "strided", "merge": "strided"}, {}),
    ("strided heads, merged in blocks", {"split": "strided"}, {}),
    ("heads in blocks, merged strided", {"merge": "strided"}, {}),
    ("mask after the softmax, renormalised", {"mask": "renormalised"}, {}),
    ("scale as a float32 tensor", {}, {"scale": "tensor"}),
    ("fill with -1e9", {}, {"mask": "fill", "fill": "-1e9"}),
    ("some biases", {}, {"bias": "mixed"}),
    ("heads first in the batch", {}, {"fold": "cat"}),
    ("baddbmm", {}, {"product": "baddbmm"}),
)
"""What is correct although it looks different: what it is, the plan, the hand."""


@cache
def correct(drawing: int = 0) -> tuple[Submission, ...]:
    """Correct code in every style, relabelled in every way, and written by hand."""
    found = []
    for style in (*STYLES.values(), *ONE_HEAD.values()):
        for number in range(3 if style.heads else 2):
            found.append(right(f"correct/{style.name}/{numbered(number, drawing)}", style, Plan()))
    for start, (what, plan, hand) in enumerate(RELABELLED):
        styles = [style for style in STYLES.values() if possible(style, replace(Plan(), **plan))]  # type: ignore[arg-type]
        styles = [style for style in styles if style.layout == "folded"] if "fold" in hand else styles
        styles = [style for style in styles if style.layout == "folded"] if "baddbmm" in hand.values() else styles
        for number in range(min(3, len(styles))):
            style = styles[(start + drawing + 2 * number) % len(styles)]
            made = replace(Plan(), **plan)  # type: ignore[arg-type]
            found.append(right(f"correct/{what}/{style.name}/{numbered(number, drawing)}", style, made, **hand))
    by_hand = [
        Submission(name=f"correct/{name}", kind="correct", style=name, source=source, heads="class Multi" in source)
        for name, source in plain.SOURCES.items()
    ]
    return (*found, *by_hand)


def right(name: str, style: Style, plan: Plan, **fixed: object) -> Submission:
    """A correct submission."""
    hand = hand_of(name, **fixed)
    return Submission(
        name=name, kind="correct", style=style.name, source=write(style, plan, hand), heads=style.heads, hand=hand
    )


@cache
def foreigners() -> tuple[Submission, ...]:
    """Modules that are no plain attention."""
    return tuple(
        Submission(
            name=f"foreign/{name}",
            kind="foreign",
            style=name,
            source=source,
            true_of_it=foreign.TRUE_OF.get(name, frozenset()),
        )
        for name, source in foreign.SOURCES.items()
    )


def of_kind(kind: str, drawing: int = 0) -> tuple[Submission, ...]:
    """All submissions of a kind."""
    match kind:
        case "singles" | "facts":
            return tuple(made for made in singles(drawing) if made.kind == kind)
        case "one-head":
            return one_head(drawing)
        case "pairs":
            return pairs(drawing)
        case "triples":
            return triples(drawing)
        case "correct":
            return correct(drawing)
    return foreigners()
