"""`grade new`: begin an assignment."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.exits import Exit
from grader.errors import ConfigurationError


@click.command(short_help="Begin an assignment.")
@click.argument("name")
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
def new_command(name: str, assignments: Path, solutions: Path) -> int:
    """Begin an assignment called NAME: settings, handout, a public and a hidden check, and solutions.

    It is a small exercise on attention that is complete: change one thing after the other, and let `grade lint NAME`
    tell what does not fit any more.
    """
    from grader.release.scaffold import scaffold

    roots = {"assignments": assignments, "solutions": solutions}
    files = {roots[path.partition("/")[0]] / path.partition("/")[2]: text for path, text in scaffold(name).items()}
    for folder in (assignments / name, solutions / name):
        if folder.exists():
            hint = "choose another name, or move it away"
            raise ConfigurationError(f"there is something at {folder} already", path=folder, hint=hint)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(path)
    click.echo(f"\nProve it with `grade lint {name}`; build what students get with `grade release {name} -o FOLDER`.")
    return Exit.DONE
