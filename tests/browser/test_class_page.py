"""What an instructor does on the class page: sort, find, follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from grader.model import Outcome

from ..reports.invented import invented
from .conftest import PHONE, Opened

Open = Callable[..., Opened]

COHORT = invented(500, 40)
[ASSIGNMENT] = COHORT.assignments
WRONG = next(
    grade.student
    for grade in COHORT.grades
    if any(check.result.outcome is Outcome.FAILED for check in grade.checks)
    and not any(other.student.startswith(f"{grade.student}-") for other in COHORT.grades)
)


@pytest.fixture
def page(opened: Open) -> Page:
    return opened("large/index.html").page


def names(page: Page) -> list[str]:
    """The students whose rows are shown, from top to bottom."""
    shown: list[str] = page.evaluate(
        "[...document.querySelectorAll('.c-heat tbody tr:not([hidden]) th')].map(each => each.textContent)"
    )
    return shown


def column(page: Page, title: str) -> Locator:
    return page.locator(".c-heat").get_by_role("columnheader", name=title, exact=True)


def test_students_come_by_name_and_nobody_is_missing(page: Page) -> None:
    assert names(page) == sorted(grade.student for grade in COHORT.grades)
    expect(page.get_by_role("status")).to_have_text("500 of 500 shown")


def test_points_sort_up_and_down_and_the_heading_says_how(page: Page) -> None:
    points = {grade.student: grade.points for grade in COHORT.grades}
    heading = column(page, "Points")

    heading.get_by_role("button").click()
    upwards = names(page)
    expect(heading).to_have_attribute("aria-sort", "ascending")
    heading.get_by_role("button").click()
    downwards = names(page)
    expect(heading).to_have_attribute("aria-sort", "descending")

    assert [points[name] for name in upwards] == sorted(points.values())
    assert [points[name] for name in downwards] == sorted(points.values(), reverse=True)
    assert set(upwards) == set(points)


def test_a_check_sorts_by_what_became_of_it_and_only_one_heading_says_so(page: Page) -> None:
    check = ASSIGNMENT.checks[9]
    passed = {
        grade.student: any(each.spec.id == check.id and each.result.outcome is Outcome.PASSED for each in grade.checks)
        for grade in COHORT.grades
    }
    column(page, "Points").get_by_role("button").click()
    button = page.get_by_role("button", name=f"10 {check.title}")
    button.focus()
    page.keyboard.press("Enter")
    order = [passed[name] for name in names(page) if passed[name] or name]
    failing = order.index(True)

    assert failing == sum(grade.attempt is not None and not passed[grade.student] for grade in COHORT.grades)
    assert page.locator("[aria-sort]").count() == 1


def test_sorting_by_name_again_gives_the_first_order(page: Page) -> None:
    before = names(page)
    column(page, "Points").get_by_role("button").click()
    column(page, "Student").get_by_role("button").click()

    assert names(page) == before


def test_a_student_is_found_by_a_part_of_the_name(page: Page) -> None:
    page.get_by_role("searchbox", name="Find a student").fill("OLGA")
    shown = names(page)

    assert shown == [grade.student for grade in COHORT.grades if "olga" in grade.student]
    assert 0 < len(shown) < 100
    expect(page.get_by_role("status")).to_have_text(f"{len(shown)} of 500 shown")


def test_who_made_a_mistake_is_shown_alone(page: Page) -> None:
    choice = page.get_by_role("combobox", name="Show")
    option = choice.locator("optgroup").first.locator("option").first
    title = (option.text_content() or "").rpartition(" (")[0]
    choice.select_option(option.get_attribute("value"))
    made = [
        grade.student
        for grade in COHORT.grades
        if grade.attempt and any(finding.title == title for finding in grade.attempt.findings)
    ]

    assert names(page) == made
    assert len(made) > 10


def test_who_does_not_pass_a_check_is_shown_alone(page: Page) -> None:
    check = ASSIGNMENT.checks[4]
    page.get_by_role("combobox", name="Show").select_option("c5")
    failing = [
        grade.student
        for grade in COHORT.grades
        for each in grade.checks
        if each.spec.id == check.id and each.result.outcome is not Outcome.PASSED
    ]

    assert names(page) == failing
    assert len(failing) > 10


def test_who_lost_points_and_who_needs_a_look_are_shown_alone(page: Page) -> None:
    choice = page.get_by_role("combobox", name="Show")
    choice.select_option("lost")
    lost = names(page)
    choice.select_option("look")
    look = names(page)
    choice.select_option("")

    assert lost == [grade.student for grade in COHORT.grades if grade.points < grade.max_points]
    assert 0 < len(look) < 250
    assert len(names(page)) == 500


def test_what_is_found_stays_found_when_it_is_sorted(page: Page) -> None:
    page.get_by_role("searchbox", name="Find a student").fill("nia")
    before = set(names(page))
    column(page, "Points").get_by_role("button").click()

    assert set(names(page)) == before


def test_for_a_screen_reader_it_is_a_table_whose_cells_say_words(page: Page) -> None:
    page.get_by_role("searchbox", name="Find a student").fill(WRONG)
    table = page.get_by_role("table", name="Multi-head self-attention: students by checks")
    client = page.context.new_cdp_session(page)
    nodes = client.send("Accessibility.getFullAXTree")["nodes"]
    roles = [node.get("role", {}).get("value") for node in nodes if not node.get("ignored")]

    assert table.get_by_role("columnheader").count() == 43
    assert table.get_by_role("rowheader").count() == 1
    assert table.get_by_role("row").count() == 2
    assert table.get_by_role("cell").count() == 42
    assert {"table", "row", "rowheader", "columnheader", "cell"} <= set(roles)
    assert {"correct", "wrong"} <= {cell.text_content() for cell in table.get_by_role("cell").all()}


def test_a_student_is_a_link_to_a_page_of_their_own(opened: Open) -> None:
    page = opened("sample/index.html").page
    page.locator(".c-heat").get_by_role("link", name="ada", exact=True).click()

    assert page.url.endswith("sample/self-attention/ada.html")
    expect(page.get_by_role("heading", level=1)).to_have_text("Self-attention")


def test_the_contents_lead_to_their_parts(opened: Open) -> None:
    page = opened("sample/index.html").page
    links = page.get_by_role("navigation").get_by_role("link")

    for link in links.all():
        link.click()
        assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top < innerHeight")
    assert links.count() >= 6


def test_without_scripts_a_number_leads_to_its_check(opened: Open) -> None:
    page = opened("sample/index.html", java_script_enabled=False).page
    page.locator(".c-heat thead a").nth(2).click()

    assert page.url.endswith("#for-self-attention-3")
    assert not page.get_by_role("searchbox", name="Find a student").is_visible()


def test_on_a_phone_names_stay_in_sight_while_checks_are_scrolled(opened: Open) -> None:
    page = opened("large/index.html", viewport=PHONE).page
    frame = page.locator(".c-frame")
    frame.scroll_into_view_if_needed()
    frame.evaluate("each => each.scrollLeft = 600")
    name = page.locator(".c-heat tbody th").first.bounding_box()

    assert name
    assert 0 <= name["x"] < 60
    assert frame.evaluate("each => each.scrollLeft") == 600


def test_the_large_class_is_there_to_be_looked_at(opened: Open, shots: Path | None) -> None:
    page = opened("large/index.html").page
    page.locator(".c-find").scroll_into_view_if_needed()
    page.get_by_role("combobox", name="Show").select_option("lost")
    column(page, "Points").get_by_role("button").click()
    picture = page.screenshot(path=shots / "large-sorted.png" if shots else None)

    assert len(picture) > 20_000
