"""The command line: the only room that prints and exits."""

from grader.cli.main import main

__all__ = ["main"]
