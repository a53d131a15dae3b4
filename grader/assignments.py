"""Assignments: `assignment.toml`, the declarations in `checks/` and the reference, validated into one frozen value.

The checks are read from their syntax trees: nothing of theirs is imported or run here.
"""

from __future__ import annotations

import ast
import hashlib
import re
import tomllib
from graphlib import CycleError, TopologicalSorter
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from grader.errors import ConfigurationError, ProblemsFound
from grader.model import Assignment, CheckSpec, Contract, HiddenFeedback, Limits, MissingImport, Policy
from grader.rules import COMPUTED, DOTTED, FLAG, NAME, TEXT, Rule, Table, at_most, expecting, number, one_of
from grader.text import nearest

SETTINGS = "assignment.toml"


def load(folder: Path, *, solutions: Path | None, public: bool = False) -> Assignment:
    """Read the assignment in `folder`; its reference is `solutions/<id>/reference.py`.

    Without `solutions`, it is one as students have it: with public checks only, and without a reference. With `public`,
    hidden checks are left out where there are any.

    Raises:
        ConfigurationError: the folder or its `assignment.toml` is missing or cannot be read.
        ProblemsFound: all that is wrong with the settings, the checks and the reference, each with its place.
    """
    folder = folder.resolve()
    problems: list[str] = []
    settings = Table(_read_toml(folder), f"{SETTINGS}: ", problems)
    reference = (solutions.resolve() if solutions else folder.parent / "solutions") / folder.name / "reference.py"
    if solutions and not reference.is_file():
        problems.append(f"{SETTINGS}: id: there is no reference solution; expected {reference}")
    fields = _fields(settings, folder.name)
    settings.finish()
    checks = _read_checks(folder / "checks", problems)
    if public:
        checks = _public(checks)
    if not solutions and any(check.hidden for check in checks):
        problems.append("checks: some are hidden, and cannot be run without the reference solution")
    if problems:
        raise ProblemsFound(tuple(problems), path=folder)
    return Assignment(folder=folder, reference=reference, checks=checks, digest=_digest(folder, reference), **fields)


def load_all(
    root: Path, *, solutions: Path | None, only: tuple[str, ...] = (), public: bool = False
) -> tuple[Assignment, ...]:
    """Read every assignment below `root`, by id, or those named in `only`; the others are then not even opened.

    `solutions` and `public` are as for `load`.

    Raises:
        ConfigurationError: there is no assignment, or none of a name in `only`.
        ProblemsFound: all problems of all assignments that were read, each line starting with the assignment's folder.
    """
    found = {folder.name: folder for folder in _folders(root)}
    for name in only:
        if name not in found:
            close = nearest(name, found)
            hint = f"did you mean {close!r}?" if close else f"known assignments: {', '.join(found)}"
            raise ConfigurationError(f"there is no assignment {name!r} in {root}", path=root, hint=hint)
    assignments: list[Assignment] = []
    problems: list[str] = []
    for name in sorted(set(only)) or found:
        try:
            assignments.append(load(found[name], solutions=solutions, public=public))
        except ProblemsFound as error:
            problems += [f"{name}/{problem}" for problem in error.problems]
    if problems:
        raise ProblemsFound(tuple(problems), path=root)
    return tuple(assignments)


def _folders(root: Path) -> list[Path]:
    hint = f"an assignment is a folder with an {SETTINGS}, for example {root / 'self-attention' / SETTINGS}"
    if not root.is_dir():
        raise ConfigurationError(f"there is no folder {root}", path=root, hint=hint)
    found = [path for path in sorted(root.iterdir()) if (path / SETTINGS).exists() or (path / "checks").is_dir()]
    if not found:
        raise ConfigurationError(f"no assignments were found in {root}", path=root, hint=hint)
    return found


def _read_toml(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        what = f"{SETTINGS}: cannot be read: {error.strerror}" if folder.is_dir() else f"there is no folder {folder}"
        hint = f"write {path}: it names the class that is graded, and how it is built and called"
        raise ConfigurationError(what, path=path, hint=hint) from error
    except tomllib.TOMLDecodeError as error:
        hint = f"correct {path}; in TOML a text stands in double quotes and a list in square brackets"
        raise ConfigurationError(f"{SETTINGS}: {error}", path=path, hint=hint) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        hint = f"save {path} as UTF-8"
        raise ConfigurationError(f"{SETTINGS}: line {line}: not UTF-8 text", path=path, hint=hint) from error


def _digest(folder: Path, reference: Path) -> str:
    total = hashlib.sha256()
    for file in (folder / SETTINGS, *sorted((folder / "checks").glob("*.py")), reference):
        if file == reference and not file.is_file():
            continue
        content = file.read_bytes()
        total.update(f"{file.name}\n{len(content)}\n".encode() + content)
    return total.hexdigest()


# -- settings ----------------------------------------------------------------------------------------------------------


def _parameters(value: object) -> str:
    try:
        tree = ast.parse(f"def f({value}): ...")
        compile(tree, "<contract>", "exec")  # finds what the grammar lets through, such as one name twice
        fits = isinstance(value, str) and len(tree.body) == 1 and "\n" not in value
    except (SyntaxError, ValueError):
        fits = False
    return "" if fits else 'a parameter list such as "x, mask=None"'


def _memory(value: object) -> str:
    size = _bytes(value)
    if size is None:
        return 'a size such as "4 GiB" or "512 MiB", or a number of bytes'
    return "" if size >= 1 << 20 else "at least 1 MiB (a plain number counts bytes)"


def _bytes(value: object) -> int | None:
    if isinstance(value, str) and (size := re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMG])iB", value)):
        return int(float(size[1]) * (1 << {"K": 10, "M": 20, "G": 30}[size[2]]))
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _fields(settings: Table, folder: str) -> dict[str, Any]:
    identity = settings.take("id", expecting(f'the name of its folder, "{folder}"', lambda value: value == folder))
    names = settings.table("submission")
    entry, aliases = names.take("entry", NAME), names.take_each("aliases", NAME)
    if entry in aliases:
        names.problems.append(f'{names.place}aliases: "{entry}" is the entry already')
    return {
        "id": identity,
        "title": settings.take("title", TEXT),
        "entry": entry,
        "aliases": aliases,
        "contract": _contract(settings.table("contract")),
        "limits": _limits(settings.table("limits")),
        "policy": _policy(settings.table("policy")),
        "hidden_feedback": HiddenFeedback(
            settings.table("feedback").take("hidden", one_of(HiddenFeedback), HiddenFeedback.DIAGNOSIS)
        ),
    }


def _contract(table: Table) -> Contract:
    construct, call = (table.take(key, _parameters) for key in ("construct", "call"))
    return Contract(construct=construct, call=call, mask=table.take("mask", TEXT, "nonzero = may attend"))


def _limits(table: Table) -> Limits:
    default = Limits()
    notebook = table.values.get("notebook_seconds", default.notebook_seconds)
    rules: dict[str, Rule] = {
        "seconds": number,
        "check_seconds": number,
        "import_seconds": number,
        "cell_seconds": at_most(notebook, "notebook_seconds"),
        "notebook_seconds": number,
    }
    seconds = {key: float(table.take(key, rule, getattr(default, key))) for key, rule in rules.items()}
    seconds["cell_seconds"] = min(seconds["cell_seconds"], seconds["notebook_seconds"])  # the default may be larger
    memory = _bytes(table.take("memory", _memory, default.memory))
    return msgspec.structs.replace(default, memory=memory, **seconds)


def _policy(table: Table) -> Policy:
    missing_import = table.take("missing_import", one_of(MissingImport), MissingImport.INFORM)
    return Policy(forbid=table.take_each("forbid", DOTTED), missing_import=MissingImport(missing_import))


# -- checks ------------------------------------------------------------------------------------------------------------

_AFTER = expecting(
    "a check's name, or several in a tuple",
    lambda value: not any(map(TEXT, value if isinstance(value, list | tuple) else [value])),
)


def _read_checks(folder: Path, problems: list[str]) -> tuple[CheckSpec, ...]:
    specs: dict[str, CheckSpec] = {}
    places: dict[str, str] = {}
    for file in sorted(folder.glob("test_*.py")):
        for node in _top_level(file, problems):
            place = f"checks/{file.name}:{node.lineno}: {node.name}: "
            if not isinstance(node, ast.FunctionDef):
                if node.name.lower().startswith("test"):
                    problems.append(f"{place}checks are plain functions at the top level of a file")
            elif (spec := _spec(file.name, node, place, problems)) is not None:
                if node.name in specs:
                    problems.append(f"{place}this name is taken by {specs[node.name].id}; every check has its own")
                specs.setdefault(node.name, spec)
                places.setdefault(node.name, place)
    if not specs:
        problems.append("checks: there are no checks; expected functions marked @check in checks/test_*.py")
    return _in_order(specs, places, problems)


def _top_level(file: Path, problems: list[str]) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    try:
        body = ast.parse(file.read_bytes(), file.name).body
    except (SyntaxError, ValueError) as error:
        line, text = getattr(error, "lineno", None) or 1, getattr(error, "msg", error)
        problems.append(f"checks/{file.name}:{line}: not valid Python: {text}")
        return []
    return [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]


def _spec(file: str, function: ast.FunctionDef, place: str, problems: list[str]) -> CheckSpec | None:
    marks = [mark for mark in function.decorator_list if _last_name(mark) == "check"]
    if not marks:
        if function.name.startswith("test") and "fixture" not in map(_last_name, function.decorator_list):
            problems.append(f"{place}is not declared; mark it @check(points=..., concept=...)")
        return None
    mark = marks[0] if isinstance(marks[0], ast.Call) else ast.Call(func=marks[0], args=[], keywords=[])
    if mark.args or len(marks) > 1:
        problems.append(f"{place}takes one @check, and its arguments by name")
    declared = Table({word.arg or "**": _literal(word.value) for word in mark.keywords}, place, problems)
    after = declared.take("after", _AFTER, ())
    title = " ".join(cleandoc(ast.get_docstring(function) or "").split("\n\n")[0].split())
    if not title:
        problems.append(f"{place}has no docstring; its first paragraph is what a student reads")
    if not function.name.startswith("test_"):
        problems.append(f"{place}pytest would not run it; let its name begin with test_")
    spec = CheckSpec(
        id=f"{file}::{function.name}",
        title=title,
        concept=declared.take("concept", TEXT),
        points=declared.take("points", number),
        hidden=declared.take("hidden", FLAG, False),
        after=tuple(after) if isinstance(after, list | tuple) else (after,),
    )
    declared.finish()
    return spec


def _last_name(decorator: ast.expr) -> str:
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    return inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")


def _literal(value: ast.expr) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError):
        return COMPUTED


def _in_order(specs: dict[str, CheckSpec], places: dict[str, str], problems: list[str]) -> tuple[CheckSpec, ...]:
    """Resolve `after` to ids and put prerequisites first; otherwise files and functions keep their order."""
    names = {spec.id: name for name, spec in specs.items()} | {name: name for name in specs}
    needs = {name: [names[other] for other in spec.after if other in names] for name, spec in specs.items()}
    for name, spec in specs.items():
        for unknown in (other for other in spec.after if other not in names):
            close = nearest(unknown, names)
            hint = f'; did you mean "{close}"?' if close else ""
            problems.append(f'{places[name]}after: there is no check "{unknown}"{hint}')
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][::-1]
        problems.append(f"{places[cycle[0]]}after: goes round in a circle: {' needs '.join(cycle)}")
        return ()
    ordered: dict[str, CheckSpec] = {}

    def put(name: str) -> None:
        if name not in ordered:
            for other in needs[name]:
                put(other)
            after = tuple(dict.fromkeys(specs[other].id for other in needs[name]))
            ordered[name] = msgspec.structs.replace(specs[name], after=after)

    for name in specs:
        put(name)
    return tuple(ordered.values())


def _public(checks: tuple[CheckSpec, ...]) -> tuple[CheckSpec, ...]:
    """Those that are not hidden. What comes after a hidden check comes after that check's own prerequisites instead."""
    hidden: dict[str, tuple[str, ...]] = {}
    public: list[CheckSpec] = []
    for spec in checks:  # prerequisites stand first
        after = tuple(dict.fromkeys(id_ for needed in spec.after for id_ in hidden.get(needed, (needed,))))
        if spec.hidden:
            hidden[spec.id] = after
        else:
            public.append(msgspec.structs.replace(spec, after=after))
    return tuple(public)
