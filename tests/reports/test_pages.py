from __future__ import annotations

import base64
import hashlib
import itertools
import re
from html.parser import HTMLParser

import pytest

from grader.model import Certainty, CheckSpec, Cohort, Finding, Grade, IgnoredFile, Outcome, Place, Status
from grader.reports import pages

from . import flood, sample

HOSTILE_PAGE = "self-attention/script-alert-1-script-5c140d35.html"
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "h1", "h2", "h3"}
ALLOWED |= {"footer", "h4", "p", "ul", "li", "a", "strong", "span", "code", "pre", "div", "meter", "details", "summary"}
ALLOWED |= {"table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "mark"}
ALLOWED |= {"svg", "g", "rect", "path", "text"}
VOID = {"meta", "input"}


class Reader(HTMLParser):
    """Reads a page strictly: what is opened is closed, and all elements, attributes and texts are kept."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return sample.cohort(interrupted=True)


@pytest.fixture(scope="module")
def files(cohort: Cohort) -> dict[str, bytes]:
    return pages.render(cohort)


def page_of(grade: Grade) -> str:
    return next(iter(pages.render(sample.cohort(grade)).values())).decode()


def test_no_page_holds_a_script_a_handler_or_anything_from_elsewhere(files: dict[str, bytes]) -> None:
    for name, page in files.items():
        for tag, attributes in Reader(page).elements:
            assert tag in ALLOWED, name
            assert not {key for key in attributes if key.startswith("on")} | (attributes.keys() & {"src", "style"})
            if "href" in attributes:
                assert re.fullmatch(r"[a-z0-9_-]+/[a-z0-9_-]+\.html", attributes["href"] or "")
        assert b"@import" not in page
        assert b"url(" not in page


def test_every_page_is_well_formed_and_its_headings_are_in_order(files: dict[str, bytes]) -> None:
    for page in files.values():
        reader = Reader(page)
        levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]

        assert not reader.open
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert ("html", {"lang": "en"}) in reader.elements


def test_every_page_forbids_all_but_its_own_style(files: dict[str, bytes]) -> None:
    for page in files.values():
        text = page.decode()
        style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
        policies = [
            attributes["content"]
            for tag, attributes in Reader(page).elements
            if attributes.get("http-equiv") == "Content-Security-Policy"
        ]

        assert len(style) == 1
        assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
        assert text.index("Content-Security-Policy") < text.index("<title>")


def test_no_page_holds_what_cannot_be_seen(files: dict[str, bytes]) -> None:
    for page in files.values():
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u200b]", page.decode())


def test_a_page_about_nothing_handed_in_says_so_with_the_reason() -> None:
    page = page_of(sample.absent("barbara", Status.MISSING, "No file defines SelfAttention."))

    assert "Nothing was handed in" in page
    assert "No file defines SelfAttention." in page
    assert "What went wrong" not in page


def test_a_page_about_an_unreadable_submission_says_so_with_the_reason() -> None:
    page = page_of(sample.absent("clara", Status.REJECTED, "The archive is damaged."))

    assert "Your submission could not be graded" in page
    assert "The archive is damaged." in page


def test_a_student_is_told_that_our_failure_costs_nothing() -> None:
    shape = sample.other(sample.SPECS[0], Outcome.INTERNAL)

    assert "it costs you no points" in page_of(sample.grade("donald", shape, status=Status.NEEDS_ATTENTION))


def test_a_student_is_told_that_definitions_alone_cost_nothing(files: dict[str, bytes]) -> None:
    page = Reader(files["self-attention/edsger.html"]).text

    assert "This by itself cost you nothing" in page
    assert "line 48 raised NameError" in page
    assert "for batch in train_loader:" in page


def test_causes_come_before_what_was_right(files: dict[str, bytes]) -> None:
    text = Reader(files["self-attention/ada.html"]).text

    order = [
        "5 / 12",
        "What went wrong",
        "embed_dim**0.5",
        "are not correct",
        "2 more checks wait",
        "was right",
        "code printed",
    ]
    positions = [text.index(part) for part in order]
    assert positions == sorted(positions)


@pytest.mark.parametrize("character", ["x", '"', "&", "\U000e0041", "𝕏", "\n"])
def test_a_page_stays_small_however_much_a_student_says(character: str) -> None:
    text = character * 30_000
    where = Place(file=text, line=1, source=text, function=text)
    specs = [CheckSpec(id=f"t.py::test_{n}", title="A check.", concept=f"c{n}", points=1) for n in range(60)]
    findings = [
        Finding(
            id="shape-error",
            certainty=Certainty.OBSERVED,
            title=text,
            explanation=text,
            where=where,
            evidence={f"{n}{text[:500]}": text for n in range(60)},
        )
    ] * 60
    made = sample.grade(
        "ada", findings=tuple(findings), warnings=(text,) * 300, output=text, **flood.notebook(text, specs)
    )
    checks = tuple(sample.other(spec, Outcome.FAILED, text, where=where) for spec in specs)
    ignored = tuple(IgnoredFile(path=f"{n}{text}", reason=text) for n in range(3_000))

    page = page_of(sample.changed(made, checks=checks, ignored=ignored, files=(text,) * 300))

    assert len(page.encode()) < 200_000
    assert "more characters)" in page
    assert "… and 29" in page
    assert not Reader(page.encode()).open


def test_ordinary_messages_are_cut_at_two_thousand_characters_and_output_at_eight() -> None:
    shape = sample.other(sample.SPECS[0], Outcome.FAILED, "m" * 2_500)

    page = page_of(sample.grade("ada", shape, output="o" * 9_000))

    assert "m" * 2_000 + "… (500 more characters)" in page
    assert "o" * 8_000 + "… (1000 more characters)" in page
    assert "m" * 2_001 not in page
