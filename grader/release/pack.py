"""The student pack, as files and their bytes.

    README.md                                  the handout, and how to check one's own work
    self_attention.py, self_attention.ipynb    the starter, twice
    assignments/self-attention/                the settings, the public checks and the assignment's own templates, for
                                               `grade check`

Nothing is copied and then cleaned: each file is made from what may be in it. Then all of them are searched for what may
not (`grader.release.scanning`), and nothing is handed out when anything is found.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from grader.assignments import SETTINGS
from grader.errors import ConfigurationError, ProblemsFound
from grader.model import Assignment, CheckSpec
from grader.release.notebook import notebook
from grader.release.publishing import Published, published
from grader.release.scanning import Secrets, leaks, secrets
from grader.release.settings import rendered
from grader.release.starter import starter

PACKAGE = "attention-grader"
"""What students install, unless they are told something else."""
TEMPLATES = frozenset({".html", ".md", ".txt"})
"""How the names of templates end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What students get.

    Attributes:
        files: by their path in the pack.
        secrets: what was looked for in them.
    """

    files: dict[str, bytes]
    secrets: Secrets


def build(assignment: Assignment, *, install: str = PACKAGE) -> Pack:
    """Make the pack of an assignment. `install` is what `pip install` is told.

    Raises:
        ConfigurationError: there is no handout, no public check, or no solution is marked in the reference.
        ProblemsFound: something in the pack is not for students.
    """
    begun = starter(assignment.reference)
    module = assignment.id.replace("-", "_")
    checks = _checks(assignment)
    place = f"assignments/{assignment.id}"
    files = {
        "README.md": _handout(assignment, module, install).encode(),
        f"{module}.py": begun.source.encode(),
        f"{module}.ipynb": notebook(assignment, begun.source, install=install),
        f"{place}/{SETTINGS}": rendered(tomllib.loads((assignment.folder / SETTINGS).read_text("utf-8"))).encode(),
        **{f"{place}/checks/{name}": own.source.encode() for name, own in checks.items() if own.source},
        **{f"{place}/templates/{file.name}": file.read_bytes() for file in _templates(assignment)},
    }
    known = secrets(
        withheld=[part for own in checks.values() for part in own.withheld],
        shown=[part for own in checks.values() for part in own.shown],
        removed=begun.removed,
        starter=begun.source,
        hidden=[_function(spec) for spec in assignment.checks if spec.hidden],
    )
    found = leaks(files, known)
    if found:
        raise ProblemsFound(found, path=assignment.folder)
    return Pack(files=files, secrets=known)


def _checks(assignment: Assignment) -> dict[str, Published]:
    """Every file of checks, divided."""
    by_id = {spec.id: spec for spec in assignment.checks}
    public = {_function(spec): _visible_before(spec, by_id) for spec in assignment.checks if not spec.hidden}
    if not public:
        what = f"{assignment.id}: all checks are hidden, so that students could check nothing"
        hint = "leave out `hidden=True` where a check gives nothing away, such as the shape of the output"
        raise ConfigurationError(what, path=assignment.folder, hint=hint)
    return {
        file.name: published(file.read_text("utf-8"), public)
        for file in sorted((assignment.folder / "checks").glob("test_*.py"))
    }


def _templates(assignment: Assignment) -> list[Path]:
    """What its feedback is written with, where that is not ours."""
    found = sorted((assignment.folder / "templates").glob("*"))
    return [file for file in found if file.suffix in TEMPLATES and file.is_file() and not file.is_symlink()]


def _visible_before(spec: CheckSpec, by_id: dict[str, CheckSpec]) -> tuple[str, ...]:
    """The public checks that must pass first; in the place of a hidden one stand those that it needs itself."""
    names: dict[str, None] = {}
    for needed in (by_id[id_] for id_ in spec.after):
        names |= dict.fromkeys(_visible_before(needed, by_id) if needed.hidden else (_function(needed),))
    return tuple(names)


def _function(spec: CheckSpec) -> str:
    return spec.id.rpartition("::")[2]


def _handout(assignment: Assignment, module: str, install: str) -> str:
    file = assignment.folder / "README.md"
    if not file.is_file():
        hint = f"write {file}: it is what students read"
        raise ConfigurationError(f"{assignment.id} has no handout", path=file, hint=hint)
    return file.read_text("utf-8").rstrip() + _CHECKING.format(module=module, install=install)


_CHECKING = """

## Checking your own work

`{module}.py` and `{module}.ipynb` hold the same beginning; take the one you like better. Each place that is yours is
marked `YOUR CODE HERE`. The public checks are in this folder, and run on your own machine:

```
pip install {install}
grade check {module}.py
```

In the notebook, the last cell does the same. There are more checks than these when your work is graded.
"""
