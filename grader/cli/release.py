"""`grade release`: what students get of an assignment."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.exits import Exit
from grader.errors import ConfigurationError


@click.command(short_help="Build what students get: handout, starter, public checks.")
@click.argument("name", metavar="ASSIGNMENT")
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder to be written."
)
@click.option(
    "--assignments", default="assignments", show_default=True, type=click.Path(path_type=Path), help="Their folder."
)
@click.option(
    "--solutions",
    default="solutions",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The references' folder.",
)
@click.option("--install", metavar="REQUIREMENT", help="What students tell `pip install`, an address for instance.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def release_command(name: str, out: Path, assignments: Path, solutions: Path, install: str | None, quiet: bool) -> int:
    """Build the student pack of ASSIGNMENT in a folder of its own.

    It holds the handout, a starter as a .py file and as a notebook (the reference without what stands between
    `### BEGIN SOLUTION` and `### END SOLUTION`), and the public checks. Everything in it is searched for hidden checks,
    lines of the solution and secrets; nothing is written when any is found. `grade lint` proves the rest.

    \b
    Exit codes: 0 written, 2 usage or configuration (or something in it is not for students),
    3 a fault of the grader.
    """
    from grader import release
    from grader.assignments import load_all

    [assignment] = load_all(assignments, solutions=solutions, only=(name,))
    pack = release.build(assignment, install=install or release.PACKAGE)
    _require_only(out, set(pack.files))
    for path, content in pack.files.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    if not quiet:
        for path in pack.files:
            click.echo(out / path)
        hidden = sum(spec.hidden for spec in assignment.checks)
        click.echo(f"{len(pack.files)} files; {hidden} hidden checks and the solution are in none of them.")
    return Exit.DONE


def _require_only(out: Path, ours: set[str]) -> None:
    """Raise `ConfigurationError` when the folder holds anything else: it would be handed out as well."""
    if not out.is_dir():
        return
    for path in sorted(out.rglob("*")):
        if not path.is_dir() or path.is_symlink():
            name = path.relative_to(out).as_posix()
            if name not in ours or path.is_symlink():
                hint = "choose a folder that does not exist yet"
                raise ConfigurationError(f"{out} holds something else already: {name}", path=out, hint=hint)
