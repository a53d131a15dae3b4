"""What a class reaches in the files it was handed in with, and which forbidden functions are among that.

Theory of operation. Every file is a syntax tree whose top-level names are bound by definitions, assignments, imports.
An expression such as `F.softmax` or `getattr(F, "softmax")` is a root name and a chain of attributes. Following the
bindings of the root, across the student's own files, gives what it may stand for: something of a library, as a full
dotted name, or a definition of the student's. From the graded class on, every definition referred to is searched in
turn. Demonstrations elsewhere in a file are not reached and cost nothing; comments and strings are not expressions.

This finds what is written down, for an instructor to look at. Code that hides what it calls is not found here.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeGuard

from grader.model import Match, Place, Policy, PolicyHit, SourceFile, Submission
from grader.notebooks import located
from grader.text import clean

_MOST_TOKENS = 100_000
_MOST_MEANINGS = 16
_LONGEST_CHAIN = 16
_DEEPEST_ALIAS = 32

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_HOLDS_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Own(NamedTuple):
    """A top-level name of one of the student's files; without a name, the file (or a folder of files) as a module."""

    file: str
    name: str


class Imported(NamedTuple):
    """A name bound by an import: the module as written, the dots before it, and the name in it, if one was taken."""

    module: str
    level: int
    name: str | None


class Use(NamedTuple):
    """A place in the code and what stands there: something of a library, dotted, or something of the student's own."""

    file: str
    node: ast.expr
    function: str
    meaning: str | Own


_Meanings = frozenset[str | Own]
_Local = dict[str, _Meanings]
_Binding = ast.stmt | Imported
_NOTHING: _Meanings = frozenset()


def forbidden_uses(submission: Submission, match: Match, policy: Policy) -> tuple[PolicyHit, ...]:
    """Return every place where the graded class, or what it reaches, uses a forbidden function; by file and line.

    What is no valid Python, a file or a notebook's cell, has none; nor has a file that is far too large.
    """
    program = Program(submission.files)
    hits: dict[tuple[str, int, str], PolicyHit] = {}
    lines = {path: re.split(r"\r\n|\r|\n", text.decode(errors="replace")) for path, text in program.contents.items()}
    for use in program.uses(Own(match.file, match.target)):
        name = _forbidden(use.meaning, policy.forbid) if isinstance(use.meaning, str) else None
        if name is not None:
            line = use.node.lineno
            source = clean("".join(lines[use.file][line - 1 : line]).strip(), limit=200, keep_newlines=False)
            cell, row = located(program.files[use.file], line)
            place = Place(file=use.file, line=row, source=source, function=use.function, cell=cell)
            hits.setdefault((use.file, line, name), PolicyHit(name=name, where=place))
    return tuple(hits[key] for key in sorted(hits))


def _forbidden(dotted: str, forbid: Iterable[str]) -> str | None:
    """Return the forbidden name that `dotted` is, be it under its public name or one of its internal ones."""
    for name in forbid:
        parent, _, last = name.rpartition(".")
        package = name.split(".")[0]
        if dotted == name or (dotted.startswith(f"{parent}.modules.") and dotted.endswith(f".{last}")):
            return name
        if dotted.startswith((f"{package}.ops.", f"{package}._C.")) and _is_form_of(dotted.rpartition(".")[2], last):
            return name
    return None


def _is_form_of(component: str, name: str) -> bool:
    """Whether an internal name is that of `name`: `_scaled_dot_product_flash_attention` is one of the public one's."""
    words, wanted = component.strip("_").split("_"), name.split("_")
    rest = iter(words)
    same_words = words[0] == wanted[0] and all(word in rest for word in wanted)
    return same_words if component.startswith("_") else component == name


class Program:
    """The files of a submission as syntax trees, and what the names in them stand for.

    Attributes:
        files, contents, trees: by path; a file that is no valid Python has no tree.
        too_large: paths of files that were not even parsed, because they would cost too much.
    """

    def __init__(self, files: Iterable[SourceFile]) -> None:
        """Parse what can be parsed; the rest is known by its content alone."""
        self.files = {file.path: file for file in files}
        self.contents = {file.path: file.content for file in self.files.values()}
        self.trees: dict[str, ast.Module] = {}
        self.too_large: list[str] = []
        tokens = 0
        for path, content in self.contents.items():
            count = sum(1 for _ in re.finditer(rb"\w+|[^\w\s]", content))
            if tokens + count > _MOST_TOKENS:
                self.too_large.append(path)
            elif (tree := _parsed(content)) is not None:
                tokens += count
                self.trees[path] = tree
        self._bindings = {path: _bindings(tree) for path, tree in self.trees.items()}
        self._known: dict[Own, _Meanings] = {}
        self._depth = 0
        self._folders = {path[:end] for path in self.contents for end in range(len(path)) if path[end] == "/"}

    def uses(self, start: Own) -> Iterator[Use]:
        """Yield what is referred to, except in annotations, where a name is defined and wherever that leads in turn."""
        waiting, found, done = [start], {start}, set()
        while waiting:
            own = waiting.pop()
            for statement in self._bindings.get(own.file, {}).get(own.name, ()):
                if not isinstance(statement, ast.stmt) or id(statement) in done:
                    continue
                done.add(id(statement))
                local = self._aliases(own.file, statement)
                for node, function, hidden in _expressions(statement):
                    for meaning in sorted(_NOTHING.union(*self._stages(own.file, node, local, hidden)), key=str):
                        yield Use(own.file, node, function, meaning)
                        if isinstance(meaning, Own) and meaning.name and meaning not in found:
                            found.add(meaning)
                            waiting.append(meaning)

    def module(self, file: str, dotted: str, level: int) -> str | None:
        """Return the student's file or folder that a module's name means when it is imported in `file`."""
        here = file.split("/")[:-1]
        starts = [here[: max(0, len(here) + 1 - level)]] if level else [here, []]
        places = ("/".join([*start, *filter(None, dotted.split("."))]) for start in starts)
        return next(filter(None, map(self._at, places)), None)

    # What an expression may stand for. Every set is small, or cut: hostile code must not make it grow.

    def _stages(self, file: str, node: ast.expr, local: _Local, hidden: frozenset[str]) -> list[_Meanings]:
        """What an expression stands for, after what its beginnings do: for `a.b.c` those of `a`, `a.b` and itself."""
        root, attributes = _chain(node)
        name = root.id if isinstance(root, ast.Name) else ""
        stages = [local.get(name, _NOTHING) | (_NOTHING if name in hidden else self._lookup(Own(file, name)))]
        for attribute in attributes:
            stages.append(frozenset(found for one in stages[-1] for found in self._attribute(one, attribute)))
        return stages

    def _attribute(self, meaning: str | Own, attribute: str) -> _Meanings:
        if isinstance(meaning, str):
            return frozenset({f"{meaning}.{attribute}"}) if meaning.count(".") < _LONGEST_CHAIN else _NOTHING
        if meaning.name:
            return _NOTHING
        submodule = self._at(f"{meaning.file.removesuffix('/__init__.py')}/{attribute}")
        return self._lookup(Own(meaning.file, attribute)) or _modules(submodule)

    def _aliases(self, file: str, statement: ast.stmt) -> _Local:
        """What is imported, or given another name, inside a definition."""
        hidden = frozenset(name for node in ast.walk(statement) for name in _bound_in(node))
        found: _Local = {}
        for node in ast.walk(statement):
            fresh = {name: self._imported(file, imported) for name, imported in _imports(node).items()}
            if isinstance(node, ast.Assign) and node is not statement:
                whole = self._stages(file, node.value, found, hidden)[-1]
                fresh |= {target.id: whole for target in node.targets if isinstance(target, ast.Name)}
            for name, meanings in fresh.items():
                found[name] = _few(found.get(name, _NOTHING) | meanings)
        return found

    def _lookup(self, own: Own) -> _Meanings:
        """What a top-level name of a file stands for: where it is defined, and what it is another name of."""
        if own in self._known or self._depth > _DEEPEST_ALIAS:
            return self._known.get(own, _NOTHING)
        self._known[own] = _NOTHING  # for names that stand for each other in a circle
        self._depth += 1
        found: set[str | Own] = set()
        table = self._bindings.get(own.file, {})
        stars = [star._replace(name=own.name) for star in table.get("*", []) if isinstance(star, Imported)]
        bindings = table.get(own.name) or stars
        for binding in bindings[-_MOST_MEANINGS:]:
            if isinstance(binding, Imported):
                found |= self._imported(own.file, binding)
                continue
            found.add(own)
            if isinstance(binding, ast.Assign):
                found |= self._stages(own.file, binding.value, {}, frozenset())[-1]
        self._depth -= 1
        self._known[own] = _few(found)
        return self._known[own]

    def _imported(self, file: str, imported: Imported) -> _Meanings:
        module = self.module(file, imported.module, imported.level)
        dotted = f"{imported.module}.{imported.name or ''}".strip(".")
        # A mere folder gives way to a library of its name, as it does in Python.
        foreign = imported.level == 0 and not (module or "").endswith(".py")
        found: _Meanings = frozenset({dotted}) if foreign else _NOTHING
        if imported.name is None:
            return found | _modules(module)
        if module is not None:
            found |= self._lookup(Own(module, imported.name))
        return found | _modules(self.module(file, dotted, imported.level))

    def _at(self, place: str) -> str | None:
        files = (f"{place}.py", f"{place}/__init__.py".lstrip("/"))
        return next((file for file in files if file in self.contents), place if place in self._folders else None)


def top_level(tree: ast.Module) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements that run in the module's own scope, and whether each is under a condition or in a loop."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, conditional = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node, conditional
        if not isinstance(node, _DEFINITIONS):
            children = (child for child in ast.iter_child_nodes(node) if isinstance(child, _HOLDS_STATEMENTS))
            waiting += [(child, node is not tree) for child in reversed([*children])]


def _few(meanings: Iterable[str | Own]) -> _Meanings:
    return frozenset(sorted(meanings, key=str)[:_MOST_MEANINGS])


def _modules(path: str | None) -> _Meanings:
    return _NOTHING if path is None else frozenset({Own(path, "")})


def _parsed(content: bytes) -> ast.Module | None:
    with warnings.catch_warnings(), suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        warnings.simplefilter("ignore")
        return ast.parse(content)
    return None


def _chain(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """Take `a.b.c` apart into `a` and its attributes; `getattr(a, "b")` is `a.b`."""
    attributes: list[str] = []
    while True:
        match node:
            case (
                ast.Attribute(value=value, attr=attribute)
                | ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attribute)), *_])
            ):
                attributes.append(attribute)
                node = value
            case _:
                return node, attributes[::-1]


def _imports(node: ast.AST) -> dict[str, Imported]:
    """What an import statement binds; `*` stands for itself."""
    if isinstance(node, ast.Import):
        tops = [alias.asname or alias.name.split(".")[0] for alias in node.names]
        names = zip(tops, node.names, strict=True)
        return {top: Imported(alias.name if alias.asname else top, 0, None) for top, alias in names}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name: Imported(node.module or "", node.level, alias.name) for alias in node.names}
    return {}


def _bindings(tree: ast.Module) -> dict[str, list[_Binding]]:
    """What binds each top-level name of a file, the last one at the end; `*` stands for what is imported with it."""
    bound: dict[str, list[_Binding]] = defaultdict(list)
    for statement, conditional in top_level(tree):
        fresh: dict[str, _Binding] = dict(_imports(statement))
        if isinstance(statement, _DEFINITIONS):
            fresh[statement.name] = statement
            # `@add_to(A) def f` makes f a part of A.
            for node in [arg for one in statement.decorator_list if isinstance(one, ast.Call) for arg in one.args]:
                if isinstance(node, ast.Name) and bound[node.id][-1:] != [statement]:
                    bound[node.id].append(statement)
        for target in [*getattr(statement, "targets", []), *filter(None, [getattr(statement, "target", None)])]:
            root, attributes = _chain(target)
            if attributes and isinstance(root, ast.Name):  # `A.f = f` makes f a part of A
                bound[root.id].append(statement)
            fresh |= {node.id: statement for node in ast.walk(target) if _is_stored(node)}
        kept = _builds_on(statement) | {"*"}
        for name, binding in fresh.items():
            bound[name] = [*(bound[name] if conditional or name in kept else ()), binding]
    return bound


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)


def _builds_on(binding: ast.stmt) -> frozenset[str]:
    """The names that a definition uses as they were before it: `class A(A)`, `f = cached(f)`, `n += 1`."""
    before = [getattr(binding, "value", None), *getattr(binding, "decorator_list", []), *getattr(binding, "bases", [])]
    before += [binding.target] if isinstance(binding, ast.AugAssign) else []
    return frozenset(node.id for one in before if one for node in ast.walk(one) if isinstance(node, ast.Name))


def _expressions(statement: ast.stmt) -> Iterator[tuple[ast.expr, str, frozenset[str]]]:
    """Yield each name or chain with the function it is in and the names that are local there; no annotations."""
    waiting: list[tuple[ast.AST, str, frozenset[str]]] = [(statement, "", frozenset())]
    while waiting:
        node, function, hidden = waiting.pop()
        inner = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.expr):
            root, attributes = _chain(node)
            if isinstance(root, ast.Name):
                yield node, function, hidden
                continue
            inner = [root] if attributes else inner
        if isinstance(node, _FUNCTIONS):
            outside = [*getattr(node, "decorator_list", []), *node.args.defaults, *filter(None, node.args.kw_defaults)]
            waiting += [(one, function, hidden) for one in outside]
            inner = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
            function, hidden = getattr(node, "name", function), hidden | _bound_in(node)
        elif isinstance(node, ast.AnnAssign):
            inner = [node.target, *filter(None, [node.value])]
        waiting += [(one, function, hidden) for one in inner]


def _bound_in(function: ast.AST) -> frozenset[str]:
    """The names that are local to a function: its parameters, and what it assigns, imports or defines."""
    if not isinstance(function, _FUNCTIONS):
        return frozenset()
    found = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    shared: set[str] = set()
    waiting: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else list(function.body)
    while waiting:
        node = waiting.pop()
        found |= {node.id} if _is_stored(node) else _imports(node).keys()
        if isinstance(node, ast.Global):
            shared |= set(node.names)
        if isinstance(node, _DEFINITIONS):
            found.add(node.name)
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return frozenset(found - shared)
