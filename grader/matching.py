"""Which class of a submission is graded for which assignment.

Names decide, from the best fit to the loosest: the entry; an alias; the same letters in other capitals; a near miss;
and, for a class derived from a `Module`, words such as `multi` that one assignment's names have and another's lack.
What fits loosely is graded too, with a warning: a misspelt name is no mistake in what the exercise is about.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from grader.model import Assignment, Entity, Match, SourceFile, Submission
from grader.notebooks import broken_cells
from grader.policy import Own, Program, top_level

_NEAR = 0.85
_LONGEST_NAME = 100
_MOST_CANDIDATES = 1000
_MOST_COMPARED = 20
_MOST_LISTED = 10

_ENTRY, _ALIAS, _SAME_LETTERS, _NEAR_MISS, _WORDS, _ONLY_ONE = range(6)
_CLASS_LINE = re.compile(r"^[ \t]*class[ \t]+(\w+)[ \t]*(?:\(([^\n)]*))?", re.MULTILINE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Matching(Entity, frozen=True, kw_only=True):
    """What of a submission is graded.

    Attributes:
        matched: each assignment that was handed in, with the class that is graded for it.
        unmatched: each other assignment, with the reason: a sentence that names the classes there are.
    """

    matched: tuple[tuple[Assignment, Match], ...] = ()
    unmatched: tuple[tuple[Assignment, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A top-level class or function. `place` counts through the submission, file by file.

    `in_broken_cell` is what stands only in cells of a notebook that have a syntax error.
    """

    own: Own
    place: int
    is_class: bool
    is_module: bool = False
    in_broken_cell: bool = False
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """How well a candidate fits an assignment, better ones first, and what else fits as well."""

    candidate: _Candidate
    rank: int
    distance: float = 0.0
    others: tuple[Own, ...] = ()


def match(submission: Submission, assignments: Sequence[Assignment], *, explicit: bool) -> Matching:
    """Find the class to grade for each assignment.

    With `explicit`, when the assignments were asked for by name, each is matched if at all possible: a class that is
    only a building block of another counts, and so does the only `Module` there is, whatever its name.
    """
    program = Program(submission.files)
    candidates = _candidates(program)
    found = _strict_fits(program, candidates, assignments)
    found = _loose_fits(program, candidates, assignments, found, explicit)
    notes: dict[str, list[str]] = {
        assignment.id: _warnings(program, assignment, found[assignment.id])
        for assignment in assignments
        if assignment.id in found
    }
    reasons = {
        assignment.id: _nothing_found(assignment, candidates)
        for assignment in assignments
        if assignment.id not in found
    }
    for block, whole in [] if explicit else _building_blocks(program, found):
        reasons[block] = _as_building_block(found[block], found[whole], block)
        notes[whole].append(reasons[block])
    return Matching(
        matched=tuple((one, _match(found[one.id], notes[one.id])) for one in assignments if one.id not in reasons),
        unmatched=tuple((one, reasons[one.id]) for one in assignments if one.id in reasons),
    )


def _match(fit: _Fit, notes: Sequence[str]) -> Match:
    return Match(file=fit.candidate.own.file, target=fit.candidate.own.name, warnings=tuple(notes))


# -- what there is to choose from --------------------------------------------------------------------------------------


def _candidates(program: Program) -> tuple[_Candidate, ...]:
    """The top-level classes and functions of all files; of what cannot be parsed, what looks like a class."""
    found: dict[Own, _Candidate] = {}
    for _, file in sorted(program.files.items()):
        named = _named(program, file)
        for name, bases, broken in named[len(found) - _MOST_CANDIDATES :] if len(found) < _MOST_CANDIDATES else ():
            own, is_class = Own(file.path, name), bases is not None
            found[own] = _Candidate(
                own=own, place=len(found), is_class=is_class, bases=bases or (), in_broken_cell=broken
            )
    modules = _derived_from_modules(found.values())
    return tuple(replace(one, is_module=one.is_class and one.own.name in modules) for one in found.values())


def _named(program: Program, file: SourceFile) -> list[tuple[str, tuple[str, ...] | None, bool]]:
    """Names, the last parts of their bases' names (`None` for a function), and whether a broken cell has them."""
    broken = [(*line, True) for cell in broken_cells(file.cells) for line in _class_lines(cell.source)]
    if file.path not in program.trees:
        return [*broken, *((*line, False) for line in _class_lines(file.content.decode(errors="replace")))]
    nodes = (node for node, _ in top_level(program.trees[file.path]) if isinstance(node, _NAMED))
    return [*broken, *((node.name, _bases(node), False) for node in nodes)]  # the last of a name counts


def _class_lines(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in _CLASS_LINE.finditer(text):
        yield line[1], tuple(re.findall(r"\w+(?=[ \t]*(?:,|$))", line[2] or ""))


_NAMED = (ast.ClassDef, ast.FunctionDef)


def _bases(node: ast.ClassDef | ast.FunctionDef) -> tuple[str, ...] | None:
    """The last parts of a class's base names; `None` for a function."""
    if not isinstance(node, ast.ClassDef):
        return None
    return tuple(base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases)


def _derived_from_modules(candidates: Iterable[_Candidate]) -> set[str]:
    children: dict[str, list[str]] = {}
    for candidate in candidates:
        for base in candidate.bases:
            children.setdefault(base, []).append(candidate.own.name)
    derived: set[str] = set()
    waiting = [name for base, names in children.items() if base.endswith("Module") for name in names]
    while waiting:
        name = waiting.pop()
        if name not in derived:
            derived.add(name)
            waiting += children.get(name, [])
    return derived


# -- how well it fits --------------------------------------------------------------------------------------------------


def _strict_fits(
    program: Program, candidates: Sequence[_Candidate], assignments: Sequence[Assignment]
) -> dict[str, _Fit]:
    """Fit by name. A class that fits one assignment better than another is no candidate for the other."""
    best: dict[str, list[_Fit]] = {assignment.id: [] for assignment in assignments}
    for candidate in candidates:
        fits = {assignment.id: fit for assignment in assignments if (fit := _by_name(candidate, assignment))}
        least = min(((fit.rank, fit.distance) for fit in fits.values()), default=None)
        for name, fit in fits.items():
            if (fit.rank, fit.distance) == least:
                best[name].append(fit)
    return {name: _best(program, fits) for name, fits in best.items() if fits}


def _by_name(candidate: _Candidate, assignment: Assignment) -> _Fit | None:
    name, wanted = candidate.own.name, (assignment.entry, *assignment.aliases)
    if name in wanted:
        index = wanted.index(name)
        return _Fit(candidate=candidate, rank=_ALIAS if index else _ENTRY, distance=index)
    if not candidate.is_class or len(name) > _LONGEST_NAME:
        return None
    likeness = max(_likeness(_letters(name), _letters(other)) for other in wanted)
    if likeness < _NEAR:
        return None
    return _Fit(candidate=candidate, rank=_SAME_LETTERS if likeness == 1 else _NEAR_MISS, distance=1 - likeness)


def _letters(name: str) -> str:
    return name.replace("_", "").casefold()


def _likeness(one: str, other: str) -> float:
    shorter, longer = sorted((len(one), len(other)))
    if one == other or 2 * shorter < _NEAR * (shorter + longer):
        return float(one == other)
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _loose_fits(
    program: Program,
    candidates: Sequence[_Candidate],
    assignments: Sequence[Assignment],
    found: dict[str, _Fit],
    explicit: bool,
) -> dict[str, _Fit]:
    """Add what fits by words, then functions in other capitals, and last the only module there is."""
    taken = {fit.candidate.own for fit in found.values()}
    loose: dict[str, list[_Fit]] = {assignment.id: [] for assignment in assignments if assignment.id not in found}
    modules = [one for one in candidates if one.is_module]
    for candidate in [one for one in modules if one.own not in taken and _topics(one, assignments)][-_MOST_COMPARED:]:
        assignment, evidence = _by_words(candidate.own.name, _topics(candidate, assignments), assignments)
        if assignment.id not in loose:
            continue
        if evidence or explicit or not taken & _reached(program, candidate.own):
            loose[assignment.id].append(_Fit(candidate=candidate, rank=_WORDS))
    if explicit or not (found or any(loose.values())):
        for assignment in assignments:
            wanted = {_letters(name) for name in (assignment.entry, *assignment.aliases)}
            functions = [one for one in candidates if not one.is_class and _letters(one.own.name) in wanted]
            if not loose.get(assignment.id, True):
                loose[assignment.id] += [_Fit(candidate=one, rank=_SAME_LETTERS) for one in functions]
    if explicit and len(modules) == 1:
        for fits in loose.values():
            fits += [] if fits else [_Fit(candidate=modules[0], rank=_ONLY_ONE)]
    return found | {name: _best(program, fits) for name, fits in loose.items() if fits}


def _topics(candidate: _Candidate, assignments: Sequence[Assignment]) -> list[Assignment]:
    """The assignments whose entry ends in a word, such as `attention`, that the candidate's name has too."""
    letters = _letters(candidate.own.name[:_LONGEST_NAME])
    return [one for one in assignments if any(word in letters for word in _words(one.entry)[-1:])]


def _by_words(name: str, fitting: Sequence[Assignment], assignments: Sequence[Assignment]) -> tuple[Assignment, int]:
    """The assignment whose own words are in `name`, or the plainest one, and how many words speak for it."""
    letters = _letters(name[:_LONGEST_NAME])

    def own_words(assignment: Assignment, *, aliases: bool) -> set[str]:
        def of(one: Assignment) -> set[str]:
            return {word for name in (one.entry, *(one.aliases if aliases else ())) for word in _words(name)}

        return of(assignment).difference(*(of(other) for other in assignments if other.id != assignment.id))

    def score(assignment: Assignment) -> tuple[int, int, int]:
        any_name, entry = own_words(assignment, aliases=True), own_words(assignment, aliases=False)
        return sum(word in letters for word in any_name), sum(word in letters for word in entry), -len(entry)

    best = max(fitting, key=score)
    return best, sum(score(best)[:2])


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


# -- which of several --------------------------------------------------------------------------------------------------


def _best(program: Program, fits: Sequence[_Fit]) -> _Fit:
    """Prefer the better rank, then what uses the others, then the file that imports the others', then the last.

    Before all that, what can be parsed is preferred to a class in a cell that cannot: it may be a draft.
    """
    rank = min((fit.candidate.in_broken_cell, fit.rank) for fit in fits)
    equal = [fit for fit in fits if (fit.candidate.in_broken_cell, fit.rank) == rank][-_MOST_COMPARED:]
    names = {fit.candidate.own for fit in equal}
    used = {own for name in names if len(names) > 1 for own in _reached(program, name) - {name}}
    imported = {own.file: _imported_files(program, own.file) for own in names if len(names) > 1}

    def order(fit: _Fit) -> tuple[bool, int, float, int]:
        own = fit.candidate.own
        others = sum(other.file in imported.get(own.file, ()) for other in names)
        return own in used, -others, fit.distance, -fit.candidate.place

    best = min(equal, key=order)
    return replace(best, others=tuple(sorted(names - {best.candidate.own})))


def _reached(program: Program, own: Own) -> set[Own]:
    return {use.meaning for use in program.uses(own) if isinstance(use.meaning, Own)}


def _imported_files(program: Program, path: str) -> set[str | None]:
    """The student's own files that a file imports, wherever it does so."""
    wanted: set[tuple[str, int]] = set()
    for node in ast.walk(program.trees[path]) if path in program.trees else ():
        if isinstance(node, ast.Import):
            wanted |= {(alias.name, 0) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            wanted |= {
                (module, node.level),
                *((f"{module}.{alias.name}".strip("."), node.level) for alias in node.names),
            }
    return {program.module(path, name, level) for name, level in wanted} - {path}


def _building_blocks(program: Program, found: dict[str, _Fit]) -> list[tuple[str, str]]:
    """Pairs of assignments: what is graded for the first is only a part of what is graded for the second."""
    reached = {name: _reached(program, fit.candidate.own) for name, fit in found.items()}
    return [
        (block, whole)
        for block, fit in found.items()
        for whole, other in found.items()
        if fit.candidate.own in reached[whole] - {other.candidate.own} and other.candidate.own not in reached[block]
    ]


# -- what is said about it ---------------------------------------------------------------------------------------------


def _warnings(program: Program, assignment: Assignment, fit: _Fit) -> list[str]:
    own = fit.candidate.own
    warnings: list[str] = []
    if fit.rank > _ALIAS:
        kind = "class" if fit.candidate.is_class else "function"
        warnings.append(f"the {kind} is called {own.name}; {assignment.entry} was asked for")
    if fit.others:
        others = _listed([f"{other.name} in {other.file}" for other in fit.others])
        warnings.append(f"{own.name} in {own.file} is graded; {others} would have fitted as well")
    for path in program.too_large:
        warnings.append(f"{path} is too large to be searched for forbidden functions")
    return warnings


def _as_building_block(block: _Fit, whole: _Fit, assignment: str) -> str:
    part = block.candidate.own.name
    return (
        f"{part} is taken as a building block of {whole.candidate.own.name} and is not graded on its own; "
        f"to have it graded, ask for it with -a {assignment}"
    )


def _nothing_found(assignment: Assignment, candidates: Sequence[_Candidate]) -> str:
    accepted = f" (also accepted: {', '.join(assignment.aliases)})" if assignment.aliases else ""
    classes = list(dict.fromkeys(one.own.name[:_LONGEST_NAME] for one in candidates if one.is_class))
    defined = f"the files define: {_listed(classes)}" if classes else "the files define no class"
    return f"no class named {assignment.entry} was found{accepted}; {defined}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
