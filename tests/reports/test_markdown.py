from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from grader.model import Outcome
from grader.reports import markdown, marking, visible

from . import flood, sample
from .gold import assert_gold

ACTIVE = {"html_block", "html_inline", "link_open", "image"}
DEAD = {"code_inline", "fence"}
PARTS = [
    "`",
    "```",
    "\n",
    "\n\n",
    "~~~",
    "<b>",
    "&lt;",
    "@ada",
    "![x](http://x.y/z)",
    "[a](b)",
    "# ",
    "- ",
    "1. ",
    "    ",
]
PARTS += [
    "> ",
    "|",
    "\\",
    "*",
    "_",
    "www.x.y",
    "https://x.y",
    "#12",
    "a",
    " ",
    "\x1b",
    "\u202e",
    "---",
    "===",
    "$x$",
    "\t",
]


def tokens(text: str) -> list[Token]:
    parsed = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [inner for token in parsed for inner in (token, *(token.children or ()))]


def comment(name: str) -> str:
    files = markdown.render(sample.cohort(sample.hostile(name)))
    return next(iter(files.values())).decode()


def test_a_comment_full_of_backticks_is_the_one_accepted_before() -> None:
    assert_gold("backticks.md", comment("a`b``c").encode())


def outline(text: str) -> list[str]:
    """The blocks of a document without its words."""
    return [token.type + token.tag for token in tokens(text) if token.block and token.type not in {"inline", "fence"}]


HARMLESS = outline(comment("ordinary"))


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join))
@example("```\n<img src=x onerror=alert(1)>\n```")
@example("`` ` <b> ` ``")
@example("</pre><script>alert(1)</script>")
@example("@all ![x](http://evil.example/x.png)")
def test_a_students_text_cannot_become_anything_but_text(name: str) -> None:
    text = comment(name)
    found = tokens(text)

    assert not [token for token in found if token.type in ACTIVE]
    for token in found:
        if token.type == "text":
            assert not re.search(r"@|://|www\.|#\d", token.content)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u200b]", text)
    headings = [kind for kind in outline(text) if "heading" in kind]
    assert headings == [kind for kind in HARMLESS if "heading" in kind]


@given(st.text(alphabet="`ab \n", max_size=30))
def test_what_is_put_in_code_can_be_read_back_exactly(text: str) -> None:
    blocks = [token for token in tokens(marking.code_block(text, 1_000)) if token.type == "fence"]

    assert [block.content for block in blocks] == [text.rstrip("\n") + "\n"]


@given(st.text(alphabet="`a <\\*", min_size=1, max_size=30).filter(lambda text: text.strip(" ")))
def test_a_code_span_holds_its_text_exactly(text: str) -> None:
    spans = [token for token in tokens("x " + marking.code_span(text)) if token.type == "code_inline"]

    assert [span.content for span in spans] == [text]


@pytest.mark.parametrize("name", sample.HOSTILE_NAMES)
def test_every_hostile_name_can_still_be_read(name: str) -> None:
    found = [token.content for token in tokens(comment(name)) if token.type in DEAD]

    assert any(visible(name) in content for content in found)


def test_a_comment_is_short_enough_for_github() -> None:
    grade = sample.grade(
        "ada",
        *(sample.other(spec, Outcome.FAILED, "😀`" * 20_000) for spec in sample.SPECS),
        output="`" * 100_000,
        **flood.notebook("😀`" * 20_000, sample.SPECS),
    )

    text = markdown.render(sample.cohort(grade))["self-attention/ada.md"].decode()

    assert len(text) < 65_536
    assert "more characters" in text
    assert not [token for token in tokens(text) if token.type in ACTIVE]


def test_prose_stays_readable_where_nothing_is_dangerous() -> None:
    assert marking.prose("Your output equals 1/sqrt(d), to 1e-12.") == "Your output equals 1/sqrt(d), to 1e-12."


@pytest.mark.parametrize(("text", "escaped"), [("0.5 of 2", "0.5 of 2"), ("1. a", "&#49;. a"), ("2)", "&#50;)")])
def test_a_number_is_escaped_where_it_would_begin_a_list_and_nowhere_else(text, escaped):
    assert marking.prose(text) == escaped
