"""What `grade explain` prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.catalogue import CATALOGUE, GROUP_TITLES, document
from grader.cli.explain import explain_command, find
from grader.errors import ConfigurationError

Grade = Callable[..., "subprocess.CompletedProcess[str]"]

SOFTMAX_OVER_THE_QUERIES = """\
softmax-dim-query: softmax over the queries

What happens
  The softmax runs along the queries: the weights that each key receives sum to
  one, not those that each query gives.

Why it matters
  Each output should be an average of values. This way some tokens get more than
  a whole one, others next to nothing, and with a causal mask later queries have
  an influence on earlier ones.

Where to look
  Find the axis that the softmax is given, and write the shape of the scores
  beside it. Which axis holds the keys?

What correct looks like
  Along the keys, the last axis of the scores: every row sums to one.

How it is told
  Proven by calculation: the output agrees, up to rounding, with the reference
  that has this mistake built in, and with no other known variant of it.

What it cannot be told from
  attention-transposed. Without a mask, or under a symmetric one, with the query
  and key layers exchanged.
"""


def said(*arguments: str, columns: int = 80, color: bool = False) -> str:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    result = runner.invoke(explain_command, arguments, color=color, catch_exceptions=False)
    assert result.stderr == ""
    return result.stdout


def test_a_finding_is_explained() -> None:
    assert said("softmax-dim-query") == SOFTMAX_OVER_THE_QUERIES


def test_a_finding_is_found_by_its_title_and_in_any_spelling() -> None:
    for name in ("softmax over the queries", "Softmax-Dim-Query", "softmax_dim_query", " softmax-dim-query "):
        assert find(name) is CATALOGUE["softmax-dim-query"]
    assert find("scaled by sqrt(embed_dim)") is CATALOGUE["scale-embed-dim"]
    assert find("transpose-t-on-3d") is CATALOGUE["transpose-T-on-3d"]


def test_every_finding_can_be_explained_by_its_id_and_by_its_title() -> None:
    for entry in CATALOGUE.values():
        assert find(entry.id) is find(entry.title) is entry
        assert said(entry.id).startswith(f"{entry.id}: {entry.title}\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_are_as_wide_as_the_terminal_at_most_and_never_too_wide_to_read(columns: int) -> None:
    lines = said("mask-after-softmax", columns=columns).splitlines()

    assert max(map(len, lines)) <= min(columns, 100)
    assert max(map(len, lines)) > min(columns, 100) - 15


def test_headings_are_bold_on_a_terminal_and_the_words_are_the_same_without() -> None:
    plain, coloured = said("scale-missing"), said("scale-missing", color=True)

    assert "\x1b[1mWhat happens\x1b[0m" in coloured
    assert coloured.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert "\x1b" not in plain


def test_what_costs_nothing_says_so() -> None:
    assert "What it costs\n  Nothing. The output is found among the values" in said("returns-tuple")
    assert "What it costs" not in said("returns-none")


def test_what_cannot_be_told_says_why() -> None:
    told = said("bias-missing").partition("How it is told\n")[2]

    assert told.startswith("  Not told, because behaviour cannot show it. The assignments leave biases free,")


def test_without_an_id_all_findings_are_listed_by_group() -> None:
    lines = said().splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]

    assert listed == list(CATALOGUE)
    assert [line for line in lines if line in GROUP_TITLES.values()] == list(GROUP_TITLES.values())
    assert "  mask-ignored                      mask ignored" in lines
    assert "  returns-tuple                     returns more than the output (costs nothing)" in lines
    assert "  bias-missing                      projection without a bias (cannot be told)" in lines


def test_as_json_it_is_the_entry() -> None:
    found = json.loads(said("sequence-first", "--json"))
    entry = CATALOGUE["sequence-first"]

    assert found == {
        "format": "grader/findings/1",
        "findings": [
            {
                "id": "sequence-first",
                "group": "contract",
                "title": entry.title,
                "explanation": entry.explanation,
                "why": entry.why,
                "look": entry.look,
                "right": entry.right,
                "told": "proven",
                "reason": "",
                "informative": False,
                "harmless": "",
                "alike": [{"ids": ["batch-sequence-mixed"], "when": ""}],
            }
        ],
    }


def test_as_json_without_an_id_it_is_the_whole_catalogue() -> None:
    found = json.loads(said("--json"))

    assert [each["id"] for each in found["findings"]] == list(CATALOGUE)


def test_as_markdown_it_is_the_page_or_one_section_of_it() -> None:
    assert said("--markdown") == document.render()
    assert said("scale-missing", "--markdown") in document.render()


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("scale-mising", "scale-missing"),
        ("mask-after", "mask-after-softmax"),
        ("no output projektion", "output-projection-missing"),
        ("heads averagd", "heads-averaged"),
    ],
)
def test_what_nearly_is_a_finding_is_suggested(name: str, suggested: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find(name)

    assert caught.value.message == f"there is no finding {name!r}"
    assert caught.value.hint is not None
    assert suggested in caught.value.hint.partition("?")[0]


def test_what_is_nothing_like_a_finding_is_not_taken_for_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        find("quokka")

    assert caught.value.hint == "`grade explain` lists all of them"


def test_an_unknown_finding_exits_with_2_and_a_hint(grade: Grade, tmp_path: Path) -> None:
    done = grade("explain", "scale-embed-dimm\x1b[31m", folder=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(
        "grade: there is no finding 'scale-embed-dimm\\x1b[31m'\n\nhint: did you mean scale-e"
    )


def test_a_known_finding_exits_with_0(grade: Grade, tmp_path: Path) -> None:
    done = grade("explain", "softmax-dim-query", folder=tmp_path, COLUMNS="80")

    assert (done.returncode, done.stdout, done.stderr) == (0, SOFTMAX_OVER_THE_QUERIES, "")


def test_two_formats_at_once_are_refused(grade: Grade, tmp_path: Path) -> None:
    done = grade("explain", "--json", "--markdown", folder=tmp_path)

    assert done.returncode == 2
    assert "--json and --markdown exclude each other." in done.stderr


def test_explaining_imports_nothing_heavy() -> None:
    program = """
import sys
from grader.cli.main import command
command.main(["explain", "scale-missing"], standalone_mode=False)
print(sorted({"torch", "numpy", "pytest", "rich", "jinja2", "nbformat"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
