"""The `grade` command: a group whose default command is the run."""

from __future__ import annotations

import sys
import traceback

import click
from click_default_group import DefaultGroup

import grader
from grader.cli.build import autograde_command, build_command
from grader.cli.check import check_command
from grader.cli.ci import ci_command
from grader.cli.doctor import doctor_command
from grader.cli.exits import Exit
from grader.cli.explain import explain_command
from grader.cli.lint import lint_command
from grader.cli.new import new_command
from grader.cli.release import release_command
from grader.cli.report import report_command
from grader.cli.run import run_command
from grader.errors import GraderError


@click.group(
    cls=DefaultGroup,
    default="run",
    default_if_no_args=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(grader.__version__, prog_name="grade")
def command() -> None:
    """Grade self-attention and multi-head attention exercises.

    `grade submissions/` is short for `grade run submissions/`.
    """


command.add_command(run_command, "run")
command.add_command(report_command, "report")
command.add_command(check_command, "check")
command.add_command(build_command, "build")
command.add_command(autograde_command, "autograde")
command.add_command(ci_command, "ci")
command.add_command(doctor_command, "doctor")
command.add_command(explain_command, "explain")
command.add_command(new_command, "new")
command.add_command(lint_command, "lint")
command.add_command(release_command, "release")


def main() -> None:
    """Run the command line and exit. Errors are sentences; a traceback means that the fault is ours."""
    try:
        code = command.main(standalone_mode=False, prog_name="grade")
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.Abort:
        code = Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = Exit.USAGE
    except GraderError as error:
        click.echo(f"grade: {error.message}", err=True)
        if error.hint:
            click.echo(f"\nhint: {error.hint}", err=True)
        code = Exit.USAGE
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        code = Exit.INTERRUPTED
    except Exception:
        traceback.print_exc()
        click.echo("\ngrade: this is a fault of the grader, not of a submission; please report it", err=True)
        code = Exit.OUR_FAULT
    sys.exit(int(code or 0))
