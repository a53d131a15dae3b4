"""The files of a submission as syntax trees, and what the names in them stand for.

Theory of operation. Every file is a syntax tree whose top-level names are bound by definitions, assignments, imports.
An expression such as `F.softmax` or `getattr(F, "softmax")` is a root and what is taken of it by name. Following the
bindings of the root, across the student's own files, gives what it may stand for: something of a library, as a full
dotted name, or a definition of the student's. From the graded class on, every definition referred to is searched in
turn. Demonstrations elsewhere in a file are not reached and cost nothing; comments and strings are not expressions.

A name taken from a computed text is followed when the text is known: it is made of constants. Otherwise it stays
unknown, and whoever asks is told so (`ByName` without a `text`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeGuard

from grader.model import SourceFile
from grader.policy.meaning import NOTHING, ByName, Meanings, Own, Scope, Use, Visit, few, modules
from grader.policy.texts import Texts
from grader.policy.trees import (
    Imported,
    assignments,
    bindings,
    bound_in,
    bound_once,
    chain,
    expressions,
    imports,
    is_stored,
    parsed,
)

_MOST_TOKENS: Final = 100_000
_MOST_MEANINGS: Final = 16
_LONGEST_CHAIN: Final = 16
_DEEPEST_ALIAS: Final = 32
_DEEPEST: Final = 8

_BUILTINS: Final = frozenset(
    ("getattr", "vars", "globals", "locals", "eval", "exec", "compile", "__import__", "__builtins__")
)
_GETATTR: Final = frozenset({"builtins.getattr", "inspect.getattr_static"})
_IMPORT: Final = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__"})
_NAMESPACES: Final = frozenset({"builtins.globals", "builtins.locals", "builtins.vars"})
_GETTERS: Final = frozenset({"operator.attrgetter", "operator.methodcaller"})
_ITEM_METHODS: Final = frozenset({"get", "__getitem__", "pop", "setdefault"})
_ATTRIBUTE_METHODS: Final = frozenset({"__getattribute__", "__getattr__"})
_GETTER = "operator.attrgetter of "


class Program:
    """The files of a submission.

    Attributes:
        files, contents, trees: by path; a file that is no valid Python has no tree.
        too_large: paths of files that were not even parsed, because they would cost too much.
        texts: what texts in them come to.
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
            elif (tree := parsed(content)) is not None:
                tokens += count
                self.trees[path] = tree
        self._bindings = {path: bindings(tree) for path, tree in self.trees.items()}
        self._known: dict[Own, Meanings] = {}
        self._depth = 0
        self._folders = {path[:end] for path in self.contents for end in range(len(path)) if path[end] == "/"}
        self._starred: dict[str, list[tuple[str, str]]] = {}
        self._scopes: dict[int, Scope] = {}
        self._members: dict[str, Meanings] = {}
        self.texts = Texts(self._bindings, self.module)

    def uses(self, start: Own) -> Iterator[Use]:
        """Yield what is referred to, except in annotations, where a name is defined and wherever that leads in turn."""
        for visit in self.visits(start):
            for meaning in sorted(visit.meanings, key=str):
                yield Use(visit.scope.file, visit.spot.node, visit.spot.function, meaning)

    def visits(self, start: Own) -> Iterator[Visit]:
        """Yield every expression that is reached, and what it may stand for; nothing, where that is not known."""
        if not self._scopes:
            self._survey()
        waiting, found, done = [start], {start}, set()
        while waiting:
            own = waiting.pop()
            for statement in self._bindings.get(own.file, {}).get(own.name, ()):
                if not isinstance(statement, ast.stmt) or id(statement) in done:
                    continue
                done.add(id(statement))
                around = self._scope(own.file, statement)
                for spot in expressions(statement):
                    scope = around._replace(hidden=spot.hidden)
                    meanings = NOTHING.union(*self._stages(scope, spot.node))
                    yield Visit(spot, scope, meanings)
                    fresh = {one for one in meanings if isinstance(one, Own) and one.name} - found
                    found |= fresh
                    waiting += sorted(fresh)

    def module(self, file: str, dotted: str, level: int) -> str | None:
        """Return the student's file or folder that a module's name means when it is imported in `file`."""
        here = file.split("/")[:-1]
        starts = [here[: max(0, len(here) + 1 - level)]] if level else [here, []]
        places = ("/".join([*start, *filter(None, dotted.split("."))]) for start in starts)
        return next(filter(None, map(self._at, places)), None)

    # What an expression may stand for. Every set is small, or cut: hostile code must not make it grow.

    def meanings(self, scope: Scope, node: ast.expr, depth: int = 0) -> Meanings:
        """What an expression may stand for."""
        return self._stages(scope, node, depth)[-1]

    def by_name(self, scope: Scope, node: ast.expr, depth: int = 0) -> ByName | None:
        """What an expression takes by a name that is a text, whether or not the text is known; None for others."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Subscript(value=container, slice=name):
                return self._item(scope, container, name, depth)
            case ast.Call(func=ast.Attribute(value=container, attr=method), args=[name, *_]) if method in _ITEM_METHODS:
                return self._item(scope, container, name, depth)
            case ast.Call(func=ast.Attribute(value=base, attr=method), args=[*before, name]) if (
                method in _ATTRIBUTE_METHODS and len(before) < 2
            ):
                return self._taken(scope, (before or [base])[0], name, depth)
            case ast.Call(func=function, args=[first, *rest]):
                return self._called(scope, function, first, rest, depth)
        return None

    def _called(
        self, scope: Scope, function: ast.expr, first: ast.expr, rest: list[ast.expr], depth: int
    ) -> ByName | None:
        functions = self.meanings(scope, function, depth + 1)
        if rest and functions & _GETATTR:
            return self._taken(scope, first, rest[0], depth)
        if functions & _IMPORT:
            return ByName(NOTHING, "module", first, self.texts.text(scope, first))
        if len(rest) == 2 and "functools.reduce" in functions and self.meanings(scope, first, depth + 1) & _GETATTR:
            return self._taken(scope, rest[1], rest[0], depth)
        paths = [one.removeprefix(_GETTER) for one in functions if isinstance(one, str) and one.startswith(_GETTER)]
        if paths:
            return ByName(self.meanings(scope, first, depth + 1), "attribute", first, paths[0] or None)
        return None

    def _item(self, scope: Scope, container: ast.expr, name: ast.expr, depth: int) -> ByName | None:
        """Something taken out of a namespace: `F.__dict__[name]`, `vars(F)[name]`, `globals()[name]`, `sys.modules`."""
        match container:
            case ast.Attribute(value=base, attr="__dict__"):
                return self._taken(scope, base, name, depth)
            case ast.Call(func=function, args=[base]) if "builtins.vars" in self.meanings(scope, function, depth + 1):
                return self._taken(scope, base, name, depth)
            case ast.Call(func=function, args=[]) if _NAMESPACES & self.meanings(scope, function, depth + 1):
                return ByName(NOTHING, "global", name, self.texts.text(scope, name))
        if isinstance(container, ast.Name | ast.Attribute) and "sys.modules" in self.meanings(scope, container, depth):
            return ByName(NOTHING, "module", name, self.texts.text(scope, name))
        return None

    def _taken(self, scope: Scope, base: ast.expr, name: ast.expr, depth: int) -> ByName:
        return ByName(self.meanings(scope, base, depth + 1), "attribute", name, self.texts.text(scope, name))

    def _stages(self, scope: Scope, node: ast.expr, depth: int = 0) -> list[Meanings]:
        """What an expression stands for, after what its beginnings do: for `a.b.c` those of `a`, `a.b` and itself."""
        root, attributes = chain(node)
        stages = [self._root(scope, root, depth)]
        for attribute in attributes:
            stages.append(self._step(stages[-1], attribute))
        return stages

    def _root(self, scope: Scope, node: ast.expr, depth: int) -> Meanings:
        if depth > _DEEPEST:
            return NOTHING
        match node:
            case ast.Name(id=name):
                return self._name(scope, name)
            case ast.IfExp(body=one, orelse=other):
                return self._any(scope, [one, other], depth)
            case ast.BoolOp(values=values) | ast.Dict(values=values):
                return self._any(scope, values, depth)
            case ast.Tuple(elts=values) | ast.List(elts=values) | ast.Set(elts=values):
                return self._any(scope, values, depth)
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.meanings(scope, value, depth + 1)
            case ast.Subscript() | ast.Call():
                return self._computed(scope, node, depth)
        return NOTHING

    def _any(self, scope: Scope, nodes: list[ast.expr], depth: int) -> Meanings:
        return few(one for node in nodes[:_MOST_MEANINGS] for one in self.meanings(scope, node, depth + 1))

    def _computed(self, scope: Scope, node: ast.Subscript | ast.Call, depth: int) -> Meanings:
        found = self.by_name(scope, node, depth)
        if found is not None and found.text is not None:
            return self._resolved(scope, found)
        if isinstance(node, ast.Subscript):
            return self.meanings(scope, node.value, depth + 1)  # one of several things stands for any of them
        functions = self.meanings(scope, node.func, depth + 1)
        if node.args and functions & _GETTERS:
            return frozenset({f"{_GETTER}{self.texts.text(scope, node.args[0]) or ''}"})
        if node.args and "functools.partial" in functions:
            return self.meanings(scope, node.args[0], depth + 1)
        return NOTHING

    def _resolved(self, scope: Scope, found: ByName) -> Meanings:
        assert found.text is not None
        if found.how == "global":
            return self._name(scope._replace(hidden=frozenset()), found.text)
        if found.how == "module":
            dotted = found.text.lstrip(".")
            whole = self._imported(scope.file, Imported(dotted, 0, None))
            return few(whole | self._imported(scope.file, Imported(dotted.partition(".")[0], 0, None)))
        meanings = found.base
        for attribute in found.text.split(".")[:_LONGEST_CHAIN]:
            meanings = self._step(meanings, attribute)
        return meanings

    def _name(self, scope: Scope, name: str) -> Meanings:
        known = scope.local.get(name, NOTHING)
        if name in scope.hidden:
            return known
        if name in _BUILTINS and name not in self._bindings.get(scope.file, {}):
            return known | {f"builtins.{name}"}
        return known | self._lookup(Own(scope.file, name))

    def _step(self, meanings: Meanings, attribute: str) -> Meanings:
        found = frozenset(found for one in meanings for found in self._attribute(one, attribute))
        return found | self._members.get(attribute, NOTHING)

    def _attribute(self, meaning: str | Own, attribute: str) -> Meanings:
        if isinstance(meaning, str):
            return frozenset({f"{meaning}.{attribute}"}) if meaning.count(".") < _LONGEST_CHAIN else NOTHING
        if meaning.name:
            return NOTHING
        submodule = self._at(f"{meaning.file.removesuffix('/__init__.py')}/{attribute}")
        return self._lookup(Own(meaning.file, attribute)) or modules(submodule)

    def _survey(self) -> None:
        """See what attributes stand for wherever they are given a value: `self.F = F`, `class A: F = F`."""
        for file, table in self._bindings.items():
            for statement in {id(one): one for several in table.values() for one in several}.values():
                if isinstance(statement, ast.stmt):
                    self._keep_members(self._scope(file, statement), statement)

    def _scope(self, file: str, statement: ast.stmt) -> Scope:
        if id(statement) not in self._scopes:
            hidden = frozenset(name for node in ast.walk(statement) for name in bound_in(node))
            once = {name: value for name, value in bound_once(statement).items() if name in hidden}
            scope = Scope(file, self._aliases(file, statement, hidden), hidden, once)
            self._scopes[id(statement)] = scope
        return self._scopes[id(statement)]

    def _aliases(self, file: str, statement: ast.stmt, hidden: frozenset[str]) -> Mapping[str, Meanings]:
        """What is imported, or given another name, inside a definition."""
        found: dict[str, Meanings] = {}
        scope = Scope(file, found, hidden)
        for node in ast.walk(statement):
            for name, imported in imports(node).items():
                found[name] = few(found.get(name, NOTHING) | self._imported(file, imported))
        whole: tuple[ast.expr | None, Meanings] = (None, NOTHING)
        for target, value in assignments(statement):
            names = [node.id for node in ast.walk(target) if _is_alias(node, statement, hidden)]
            if not names:
                continue
            whole = whole if whole[0] is value else (value, self.meanings(scope, value))
            for name in names if whole[1] else ():
                found[name] = few(found.get(name, NOTHING) | whole[1])
        return found

    def _keep_members(self, scope: Scope, statement: ast.stmt) -> None:
        pairs = [(target.attr, value) for target, value in assignments(statement) if isinstance(target, ast.Attribute)]
        for node in ast.walk(statement):
            if isinstance(node, ast.ClassDef):
                for one in node.body:
                    if isinstance(one, ast.Assign):
                        pairs += [(target.id, one.value) for target in one.targets if isinstance(target, ast.Name)]
        for name, value in pairs:
            self.texts.members[name].append((scope, value))
            whole = [one for one in self.meanings(scope, value) if isinstance(one, str)]
            if whole:
                self._members[name] = few([*self._members.get(name, NOTHING), *whole])

    def _lookup(self, own: Own) -> Meanings:
        """What a top-level name of a file stands for: where it is defined, and what it is another name of."""
        if own in self._known or self._depth > _DEEPEST_ALIAS:
            return self._known.get(own, NOTHING)
        self._known[own] = NOTHING  # for names that stand for each other in a circle
        self._depth += 1
        found: set[str | Own] = set()
        table = self._bindings.get(own.file, {})
        if own.name not in table:
            for dotted, module in self._stars(own.file):
                found |= {f"{dotted}.{own.name}"} if dotted else self._lookup(Own(module, own.name))
        for binding in table.get(own.name, [])[-_MOST_MEANINGS:]:
            if isinstance(binding, Imported):
                found |= self._imported(own.file, binding)
                continue
            found.add(own)
            if isinstance(binding, ast.Assign):
                found |= self.meanings(Scope(own.file), binding.value)
        self._depth -= 1
        self._known[own] = few(found)
        return self._known[own]

    def _stars(self, file: str) -> list[tuple[str, str]]:
        """The modules that a file imports all names of: by their dotted names, or those of the student's, by path."""
        if file not in self._starred:
            stars = [one for one in self._bindings.get(file, {}).get("*", []) if isinstance(one, Imported)]
            known = [(star, self.module(file, star.module, star.level)) for star in stars[-_MOST_MEANINGS:]]
            files = [("", path) for _, path in known if path is not None and path in self.contents]
            libraries = [(star.module, "") for star, path in known if not star.level and path not in self.contents]
            self._starred[file] = files + libraries
        return self._starred[file]

    def _imported(self, file: str, imported: Imported) -> Meanings:
        module = self.module(file, imported.module, imported.level)
        dotted = f"{imported.module}.{imported.name or ''}".strip(".")
        # A mere folder gives way to a library of its name, as it does in Python.
        foreign = imported.level == 0 and not (module or "").endswith(".py")
        found: Meanings = frozenset({dotted}) if foreign else NOTHING
        if imported.name is None:
            return found | modules(module)
        if module is not None:
            found |= self._lookup(Own(module, imported.name))
        return found | modules(self.module(file, dotted, imported.level))

    def _at(self, place: str) -> str | None:
        files = (f"{place}.py", f"{place}/__init__.py".lstrip("/"))
        return next((file for file in files if file in self.contents), place if place in self._folders else None)


def _is_alias(node: ast.AST, statement: ast.stmt, hidden: frozenset[str]) -> TypeGuard[ast.Name]:
    """Whether it is a name of the definition's own that is given a value."""
    return is_stored(node) and (isinstance(statement, ast.ClassDef) or node.id in hidden)
