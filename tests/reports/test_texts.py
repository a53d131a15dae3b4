"""The words of the reports are in one file for each language, and nowhere else."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from grader.reports import texts
from grader.reports.texts import TEXTS, Plural, Texts

REPORTS = Path(texts.__file__).parent
STUDENTS = (
    *(
        "student",
        "score",
        "card",
        "cards",
        "shapes",
        "attention",
        "checks",
        "check",
        "loading",
        "sentences",
        "snippet",
        "nameless",
    ),
    "page",
)
"""Templates of what a student gets."""
CHOSEN = (
    *("outcome.", "outcome-sentence.", "status.", "isolation.", "certainty.", "second-look-weight.", "headline."),
    *(
        "evidence.",
        "diagram.",
        "count.",
        "card.how.",
        "cell.",
        "attention.",
        "loading.",
        "student.",
        "class.",
    ),
)
"""Beginnings of keys whose rest is a value: an outcome, a status, the name of a piece of evidence."""


def templates(extension: str) -> list[Path]:
    found = (REPORTS / "templates" / f"{name}.{extension}" for name in STUDENTS)
    return [path for path in found if path.exists()]


def words(source: str) -> str:
    """What a template says by itself: what is neither Jinja nor markup."""
    markup = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    return re.sub(r"<[^<>]*>", " ", markup)


@pytest.mark.parametrize("extension", ["html", "md", "txt"])
def test_no_template_says_a_word_of_its_own(extension: str) -> None:
    for path in templates(extension):
        assert not re.search(r"[A-Za-z]{2}", words(path.read_text("utf-8"))), path.name


def test_a_word_in_a_template_would_be_found() -> None:
    assert re.search(r"[A-Za-z]{2}", words('<p class="quiet">Hello {{ name }}</p>'))


def test_every_text_that_a_template_or_module_names_exists() -> None:
    sources = [path.read_text("utf-8") for path in REPORTS.rglob("*") if path.suffix in {".py", ".html", ".md", ".txt"}]
    named = {
        key
        for source in sources
        for pattern in (r"\bsay\(\s*\"([\w.-]+)\"\s*[,)]", r"TEXTS\[\"([\w.-]+)\"\]")
        for key in re.findall(pattern, source)
    }

    assert len(named) > 60
    assert named <= set(TEXTS)


def test_every_text_is_named_somewhere() -> None:
    sources = "".join(
        path.read_text("utf-8") for path in REPORTS.parent.rglob("*") if path.suffix in {".py", ".html", ".md", ".txt"}
    )

    unnamed = {
        key for key in TEXTS if not key.startswith(CHOSEN) and not re.search(f"[\"']{re.escape(key)}[\"']", sources)
    }
    assert unnamed == set()


def test_a_missing_text_and_a_missing_value_are_errors() -> None:
    small = Texts({"greeting": {"hello": "Hello {name}."}}, "xx")

    assert small.say("greeting.hello", name="Ada") == "Hello Ada."
    with pytest.raises(KeyError, match=r"no text called 'greeting\.bye' in the language 'xx'"):
        small.say("greeting.bye")
    with pytest.raises(KeyError, match="name"):
        small.say("greeting.hello")


def test_braces_in_a_value_are_not_read_again() -> None:
    small = Texts({"hello": "Hello {name}."})

    assert small.say("hello", name="{name.__class__} {0}") == "Hello {name.__class__} {0}."


@pytest.mark.parametrize(
    ("n", "said"), [(0, "0 checks"), (1, "1 check"), (2, "2 checks"), ("1", "1 check"), (0.5, "0.5 checks")]
)
def test_exactly_one_has_a_form_of_its_own(n: object, said: str) -> None:
    assert TEXTS.say("count.check", n=n) == said


def test_both_forms_of_a_text_have_the_same_places() -> None:
    for key, text in TEXTS.items():
        if isinstance(text, Plural):
            used, used_for_one = (
                {name for _, name, _, _ in string.Formatter().parse(form)} for form in (text, text.one)
            )
            assert used_for_one - used <= {None}, key
