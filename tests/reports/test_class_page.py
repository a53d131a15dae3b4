from __future__ import annotations

import base64
import hashlib
import itertools
import re
from pathlib import Path

import msgspec
import pytest

from grader.model import (
    Certainty,
    Changes,
    CheckSpec,
    Cohort,
    Finding,
    Grade,
    HiddenFeedback,
    Isolation,
    IsolationLevel,
    Likeness,
    Outcome,
    Status,
)
from grader.reports import class_page, pages, report_paths
from grader.reports.class_views import AssignmentView, class_view, moment

from . import sample
from .gold import assert_gold
from .invented import invented
from .test_pages import ALLOWED, Reader
from .test_style import contrast, variables

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS
TEMPLATES = Path(class_page.__file__).parent / "templates"
OWN = {"dl", "dt", "dd", "nav", "input", "select", "option", "optgroup", "label", "script", "figure"}
HREF = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+\.html|#[a-z0-9_-]+")


def page_of(*grades: Grade, **changes: object) -> str:
    return class_page.class_page(msgspec.structs.replace(sample.cohort(*grades), **changes)).decode()


def words_of(page: str | bytes) -> str:
    """What there is to read, on one line, without the list of contents."""
    content = page if isinstance(page, str) else page.decode()
    content = re.sub(r"<(style|script|nav).*?</\1>", "", content, flags=re.DOTALL)
    spaced = re.sub(r"</(td|th|p|dt|dd|li|code|summary)>", r" </\1>", content)
    return " ".join(Reader(spaced.encode()).text.replace("\xa0", " ").split())


def wrong(student: str, *failed: CheckSpec, outcome: Outcome = Outcome.FAILED, **more: object) -> Grade:
    return sample.grade(student, *(sample.other(spec, outcome, "It is wrong.") for spec in failed), **more)


def view_of(*grades: Grade) -> AssignmentView:
    return class_view(sample.cohort(*grades)).assignments[0]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return sample.cohort(interrupted=True)


@pytest.fixture(scope="module")
def page(cohort: Cohort) -> bytes:
    return class_page.render(cohort)["index.html"]


def test_the_class_page_is_the_one_accepted_before(page: bytes) -> None:
    assert_gold("class.html", page)


# -- what it is made of ------------------------------------------------------------------------------------------------


def test_it_holds_nothing_from_elsewhere_and_no_handler(page: bytes) -> None:
    for tag, attributes in Reader(page).elements:
        assert tag in ALLOWED | OWN
        assert not {key for key in attributes if key.startswith("on")} | (attributes.keys() & {"src", "style"})
        assert HREF.fullmatch(attributes.get("href") or "#top")
    assert b"@import" not in page
    assert b"url(" not in page
    assert b"innerHTML" not in page


def test_it_allows_its_own_styles_and_its_own_script_and_nothing_else(page: bytes) -> None:
    text = page.decode()

    def allowed(tag: str) -> str:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        return " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in found
        )

    policies = [a["content"] for _, a in Reader(page).elements if a.get("http-equiv") == "Content-Security-Policy"]
    styles, scripts = allowed("style"), allowed("script")

    assert policies == [
        f"default-src 'none'; style-src {styles}; script-src {scripts}; base-uri 'none'; form-action 'none'"
    ]
    assert (len(styles.split()), len(scripts.split())) == (2, 1)
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_its_headings_are_in_order_and_every_link_within_it_leads_somewhere(page: bytes) -> None:
    reader = Reader(page)
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    inner = {href[1:] for _, a in reader.elements if (href := a.get("href") or "").startswith("#")}

    assert not reader.open
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert len(ids) == len(set(ids))
    assert inner <= set(ids)


def test_no_class_of_its_style_is_one_of_the_students_pages_by_accident() -> None:
    used = set()
    for file in [TEMPLATES / "class.html", *(TEMPLATES / "class").glob("*.html")]:
        for names in re.findall(r'class="([^"{]*)', file.read_text("utf-8")):
            used |= set(names.split())
    others = set(re.findall(r"\.([a-z][\w-]*)", (TEMPLATES / "style.css").read_text("utf-8")))

    assert used & others <= {"quiet", "text", "note", "unseen", "files"}
    assert {name for name in used if not name.startswith("c-")} <= {"quiet", "text", "note", "unseen", "files", "look"}


def test_every_student_has_a_link_and_a_row(page: bytes, cohort: Cohort) -> None:
    links = {a["href"] for tag, a in Reader(page).elements if tag == "a" and not (a["href"] or "").startswith("#")}
    body = page.decode().partition('<table class="c-heat">')[2].partition("<tbody>")[2].partition("</tbody>")[0]

    assert links == set(pages.render(cohort))
    assert re.findall(r'<th scope="row"><a href="(.*?)">', body) == list(report_paths(cohort, "html").values())


def test_hostile_text_is_shown_and_nothing_more(page: bytes) -> None:
    text = Reader(page).text

    for shown in ("<script>alert(1)</script>", "{{7*7}}", "evil\\u202egnp.exe", "esc\\x1b[2J", "new\\nline", "\\udcff"):
        assert shown in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u200b]", page.decode())


def test_an_assignment_may_be_called_like_a_part_of_the_page() -> None:
    named = sample.assignment(id="attention", title="Attention")
    grades = (sample.changed(wrong("ada", SHAPE, outcome=Outcome.TIMED_OUT), assignment="attention"),)
    ids = re.findall(r' id="(.*?)"', page_of(*grades, assignments=(named,)))

    assert len(ids) == len(set(ids))
    assert "attention" in ids


def test_a_class_of_nobody_has_a_page_too() -> None:
    nobody = msgspec.structs.replace(sample.cohort(), grades=(), changes=None, likenesses=())
    page = class_page.class_page(nobody)

    assert "No submissions." in words_of(page)
    assert b"<table" not in page


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_a_sign_can_be_told_from_the_colour_it_stands_on(theme: str) -> None:
    sheet = (TEMPLATES / "class.css").read_text("utf-8")
    grounds = [dict(re.findall(r"--(\w): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", sheet)]
    ground = grounds[["light", "dark", "print"].index(theme)]
    text = variables(theme)

    assert len(ground) == len(Outcome)
    assert all(contrast(text["ink"], colour) >= 4.5 for colour in ground.values())
    assert contrast(text["quiet"], ground["p"]) >= 4.5  # what is correct speaks lower


# -- what it says ------------------------------------------------------------------------------------------------------


def test_it_says_what_an_instructor_must_know(page: bytes) -> None:
    text = words_of(page)

    for statement in (
        "26 students · finished 2026-03-14 15:09 · grader 0.1.0, torch 2.13.0 · isolation: confined",
        "The run was interrupted",
        "clara The archive holds a path outside itself",
        "Traceback: examiner lost its worker",
        "ada 5 ⚑ worth a look: Scores divided by sqrt(embed_dim)",
        "barbara 0 nothing handed in",
        "Padding keys receive no attention. masking · hidden",
        "25 % 6 of 24, 16 waiting",
        "Student code ran at level confined. Student code cannot read other files",
        "What the next better level lacks: user namespaces are switched off",
        "data/weights.pt not Python or a notebook",
    ):
        assert statement in text


def test_what_needs_a_person_comes_first_and_the_most_urgent_of_it(page: bytes) -> None:
    text = words_of(page)
    parts = ("The grader failed", "Could not be read", "Was stopped", "Worth a look", "Nearly the same code")
    places = [text.index(part) for part in (*parts, "What changed", "Most common mistakes", "Students by checks")]

    assert places == sorted(places)


def test_nobody_is_named_for_attention_who_needs_none() -> None:
    page = page_of(sample.behind(sample.grade("ada"), Isolation(level=IsolationLevel.SEALED)))

    assert "Needs your attention" not in page
    assert "worth a look:" not in page


def test_where_all_ran_behind_the_same_little_nobody_is_singled_out() -> None:
    text = words_of(page_of(sample.grade("ada"), sample.grade("bob")))

    assert "All code ran at level confined." in text
    assert "worth a look:" not in text


def test_who_ran_behind_less_than_others_is_named() -> None:
    sealed = sample.behind(sample.grade("ada"), Isolation(level=IsolationLevel.SEALED))
    marks = {row.link.student: row.marks for row in view_of(sealed, sample.grade("bob")).rows}

    assert marks == {"ada": (), "bob": ("weak",)}


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.KILLED])
def test_who_was_stopped_is_named_with_the_check(outcome: Outcome) -> None:
    text = words_of(page_of(wrong("ada", SHAPE, outcome=outcome)))

    assert re.search(rf"ada (timed out|process ended) in “{re.escape(SHAPE.title)}” It is wrong\.", text)


def test_likenesses_name_all_of_them_and_how_alike_they_are() -> None:
    twins = (
        Likeness(assignment="self-attention", students=("ada", "bob"), similarity=1.0, size=90),
        Likeness(assignment="self-attention", students=("cleo", "dan", "gone"), similarity=0.879, size=90),
    )
    page = page_of(*map(sample.grade, ("ada", "bob", "cleo", "dan")), likenesses=twins)

    assert "ada, bob the same from beginning to end" in words_of(page)
    assert "cleo, dan, gone 87 % the same" in words_of(page)
    assert page.count("worth a look: </span>") == 4
    assert ">gone</a>" not in page


def test_a_hundred_concerns_are_folded_and_all_there() -> None:
    page = page_of(*(wrong(f"s{n:03}", SHAPE, outcome=Outcome.TIMED_OUT) for n in range(100)))

    assert "Show 95 more" in page
    assert words_of(page).count(f"timed out in “{SHAPE.title}”") == 100


def test_changes_are_told_with_their_reasons(page: bytes) -> None:
    text = words_of(page)

    for statement in (
        "Since the run of 2026-03-13 18:00. One submission has more points, one has fewer.",
        "2 more were handed in again and have the same points. One is new. 3 are not there any more.",
        "The grader was 0.0.9 then; now it is 0.1.0.",
        "alan +7 5 → 12 put right: Scores divided by sqrt(embed_dim) now correct: The output equals",
        "frances −2 12 → 10 same files as before: the checks or the grader changed new mistake: Weights that are not",
        "no longer correct: Padding keys receive no attention",
    ):
        assert statement in text


def test_where_nothing_changed_the_page_says_so() -> None:
    text = words_of(page_of(sample.grade("ada"), changes=Changes(since="2026-03-13T18:00:00+01:00")))

    assert "Nothing has changed since the run of 2026-03-13 18:00." in text
    assert "Nothing has changed" not in words_of(page_of(sample.grade("ada")))


def test_a_time_that_is_none_stands_as_it_is_and_is_harmless() -> None:
    assert moment("2026-03-13T18:00:59+01:00") == "2026-03-13 18:00"
    assert moment("<then>") == "<then>"
    assert "<then>" not in page_of(sample.grade("ada"), changes=Changes(since="<then>"))


def test_what_was_left_out_is_counted() -> None:
    assert "2 submissions are left out" in words_of(page_of(sample.grade("ada"), ungraded=2))
    assert "left out" not in words_of(page_of(sample.grade("ada")))


def test_mistakes_are_counted_with_who_made_them_and_what_they_mean() -> None:
    named = Finding(id="scale-missing", certainty=Certainty.PROVEN, title="scores not scaled")
    noted = Finding(id="mask-polarity-guessed", certainty=Certainty.OBSERVED, title="only a note", informative=True)
    grades = (
        wrong("ada", SCALE, findings=(named, noted)),
        wrong("bob", SCALE, findings=(named,)),
        sample.grade("cleo", findings=(noted,)),
    )
    text = words_of(page_of(*grades))

    assert re.search(r"scores not scaled scale-missing What it means .{40,} 2 ada, bob", text)
    assert "Worth knowing, costs nothing: 1" in text
    assert re.search(r"only a note mask-polarity-guessed 2 ada, cleo", text)


def test_a_check_says_who_passes_and_what_it_is_good_for() -> None:
    grades = [wrong(f"a{n}", SHAPE, SCALE) for n in range(10)] + [wrong(f"b{n}", PADDING) for n in range(10)]
    shape, softmax, _, padding, _ = view_of(*grades, wrong("c", SHAPE, SCALE)).checks
    text = words_of(page_of(*grades, wrong("c", SHAPE, SCALE)))

    assert [each.standing for each in (shape, softmax, padding)] == ["", "everybody", "backwards"]
    assert "47 % 10 of 21" in text
    assert "everybody passes" in text
    assert "the weaker pass it" in text
    assert "−" in text
    assert "not enough students" not in text


def test_a_check_that_nobody_passes_is_pointed_at_and_few_students_give_no_number() -> None:
    text = words_of(page_of(wrong("ada", SHAPE), wrong("bob", SHAPE)))

    assert "0 % 0 of 2 not enough students nobody passes" in text


def test_what_a_check_told_is_grouped_where_only_numbers_differ() -> None:
    def told(student: str, message: str) -> Grade:
        return sample.grade(student, sample.other(SCALE, Outcome.FAILED, message, where=sample.WHERE))

    *_, scale, _, _ = view_of(
        told("ada", "Off by 0.31 (allowed: 1e-06)."),
        told("bob", "Off by 2 (allowed: 1e-06)."),
        told("cleo", "Off by 1.5e-3 (allowed: 1e-06)."),
        told("dan", "All of it is zero."),
    ).checks

    assert [(said.message, [link.student for link in said.people]) for said in scale.said] == [
        ("Off by 0.31 (allowed: 1e-06).", ["ada", "bob", "cleo"]),
        ("All of it is zero.", ["dan"]),
    ]
    assert [said.where for said in scale.said] == [None, sample.WHERE]


def test_the_instructor_reads_what_hidden_checks_say_whatever_students_may_read() -> None:
    hidden = sample.grade("ada", sample.other(SCALE, Outcome.FAILED, "HiddenMessage"))
    cohort = sample.cohort(hidden, feedback=HiddenFeedback.OUTCOME)

    assert "HiddenMessage" in class_page.class_page(cohort).decode()
    assert all(b"HiddenMessage" not in page for page in pages.render(cohort).values())


def test_who_handed_nothing_in_has_a_row_and_is_counted_apart() -> None:
    view = view_of(sample.grade("ada"), sample.absent("bob", Status.MISSING, "No file."))

    assert [(row.link.student, len(row.outcomes)) for row in view.rows] == [("ada", 5), ("bob", 0)]
    assert "nothing to grade 1" in words_of(page_of(sample.grade("ada"), sample.absent("bob", Status.MISSING, "")))


def test_the_histogram_says_in_words_what_it_draws() -> None:
    page = page_of(sample.grade("ada"), sample.grade("bob"), wrong("cleo", SHAPE))

    assert 'aria-label="How many students have how many points. ' in page
    assert "From 9.6 to 10.8 points: 1 student. Full marks: 2 students." in page
    assert page.count('class="c-tower') == 11


# -- how large it is ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large() -> bytes:
    return class_page.class_page(invented(500, 40))


def test_a_class_of_five_hundred_fits_into_three_megabytes_with_every_cell(large: bytes) -> None:
    cells = len(re.findall(rb'<td class="[pfetkbi]">', large))
    examined = sum(grade.attempt is not None for grade in invented(500, 40).grades)

    assert len(large) < 3_000_000
    assert cells == 40 * examined > 18_000
    assert large.count(b'<tr class="look"') + large.count(b"<tr") > 500


def test_nothing_is_cut_in_a_class_of_five_hundred_whose_texts_are_of_ordinary_length(large: bytes) -> None:
    assert b"more characters)" not in large
    assert len(large) < class_page.budget(500) < 3_000_000


def test_a_class_that_says_too_much_is_cut_until_it_fits() -> None:
    flood = "much " * 2_000
    grades = [wrong(f"s{n}", SHAPE, outcome=Outcome.TIMED_OUT) for n in range(30)]
    said = [
        sample.changed(
            grade, checks=tuple(sample.other(spec, Outcome.TIMED_OUT, f"{n} {flood}") for spec in sample.SPECS)
        )
        for n, grade in enumerate(grades)
    ]
    page = page_of(*said)

    assert len(page.encode()) <= class_page.budget(30)
    assert "more characters)" in page
