"""`grade lint`: prove an assignment before students see it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from grader.cli.exits import Exit

if TYPE_CHECKING:
    from grader.linting.proof import Aspect, Proof

MOST_SHOWN = 20
"""Problems of one aspect that are printed; `--json` has them all."""


@click.command(short_help="Prove an assignment before students see it.")
@click.argument("names", nargs=-1, metavar="[ASSIGNMENT]...")
@click.option(
    "--assignments", default="assignments", show_default=True, type=click.Path(path_type=Path), help="Their folder."
)
@click.option(
    "--solutions", default="solutions", show_default=True, type=click.Path(path_type=Path), help="Their folder."
)
@click.option("--quick", is_flag=True, help="Leave out mutants, other salts and other orders of the checks.")
@click.option("--salts", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many to try.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Solutions at a time.  [default: one for each core]")
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def lint_command(
    names: tuple[str, ...],
    assignments: Path,
    solutions: Path,
    quick: bool,
    salts: int,
    jobs: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Prove an assignment: that correct solutions earn full marks, and that checks notice what is wrong.

    ASSIGNMENT is its id; without it, all are proven. Looked at are the reference, its starter, all accepted and wrong
    solutions, other orders of the checks, other random inputs, and mutants: copies of the reference with one small
    mistake each. A mutant that earns full marks is shown, unless it is the same program in other words.

    \b
    Exit codes: 0 nothing found, 1 there are problems, 2 usage or configuration, 3 a fault of the grader.
    """
    from grader.assignments import load_all
    from grader.cli import progress
    from grader.executors.local import LocalExecutor
    from grader.linting.proving import Task, prove
    from grader.model import IsolationLevel

    proofs = []
    for assignment in load_all(assignments, solutions=solutions, only=names):
        task = Task(
            assignment=assignment,
            executor=lambda wanted: LocalExecutor(
                wanted, jobs=jobs or os.cpu_count() or 1, isolation=IsolationLevel.PROCESS_ONLY
            ),
            salts=1 if quick else salts,
            mutate=not quick,
        )
        with progress.observe(quiet=quiet or as_json) as observer:
            proofs.append(prove(task, observer))
        if not as_json:
            _show(proofs[-1])
    if as_json:
        told = [{**msgspec.to_builtins(proof), "clean": proof.clean} for proof in proofs]
        click.echo(json.dumps({"format": "grader/lint/1", "assignments": told}, indent=2, ensure_ascii=False))
    return Exit.DONE if all(proof.clean for proof in proofs) else Exit.ATTENTION


def _show(proof: Proof) -> None:
    click.echo(click.style(proof.assignment, bold=True))
    for aspect in proof.aspects:
        word, colour = _verdict(aspect)
        detail = f" ({aspect.detail})" if aspect.detail and not aspect.skipped else ""
        click.echo(f"  {click.style(f'{word:7}', fg=colour)} {aspect.claim}{detail}")
        shown = aspect.problems[len(proof.survivors) :] if aspect.id == "mutants" else aspect.problems
        for problem in shown[:MOST_SHOWN]:
            click.echo(f"            {problem}")
        if len(shown) > MOST_SHOWN:
            click.echo(f"            … and {len(shown) - MOST_SHOWN} more")
    for survivor in proof.survivors:
        differs = f" It differs in {survivor.difference}." if survivor.difference else ""
        click.echo(f"\nno check notices this.{differs}\n{survivor.diff}")
    click.echo("")


def _verdict(aspect: Aspect) -> tuple[str, str]:
    if aspect.skipped:
        return "skipped", "yellow"
    return ("problem", "red") if aspect.problems else ("ok", "green")
