"""What holds for every page: it stands alone, everybody can use it, and it fits where it is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from .conftest import DESKTOP, PHONE, Opened

Open = Callable[..., Opened]

CLASS = "sample/index.html"
STUDENTS = [
    "sample/self-attention/ada.html",  # a mistake that is proven, a line, pictures of attention
    "sample/self-attention/alan.html",  # all correct
    "sample/self-attention/barbara.html",  # nothing handed in
    "sample/self-attention/donald.html",  # our failure
    "sample/self-attention/katherine.html",  # a second look
    "sample/self-attention/john.html",  # a notebook's cells
    "sample/self-attention/script-alert-1-script-5c140d35.html",
]
PAGES = [CLASS, *STUDENTS]
LOOKS: dict[str, dict[str, Any]] = {
    "desktop-light": {"viewport": DESKTOP, "color_scheme": "light"},
    "desktop-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone-light": {"viewport": PHONE, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}
UNFOLD = "document.querySelectorAll('details').forEach(each => each.open = true)"


def label(name: str, look: str) -> str:
    return f"{name.removesuffix('.html').replace('/', '-')}-{look}"


@pytest.mark.parametrize("name", [*PAGES, "large/index.html"])
def test_nothing_is_requested_and_the_console_is_empty(opened: Open, name: str) -> None:
    found = opened(name)
    found.page.evaluate(UNFOLD)
    found.page.wait_for_timeout(50)

    assert found.requests == [found.page.url]
    assert found.console == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_nobody_is_shut_out_and_nothing_sticks_out(opened: Open, name: str, look: str, shots: Path | None) -> None:
    page = opened(name, **LOOKS[look]).page
    if shots:
        page.screenshot(full_page=True, path=shots / f"{label(name, look)}.png")
    page.evaluate(UNFOLD)
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    result = Axe().run(page, options=options)

    assert result.violations_count == 0, result.generate_report()
    assert {"color-contrast"} <= {rule["id"] for rule in result.response["passes"]}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_shuts_people_out_is_noticed(opened: Open) -> None:
    page = opened(CLASS).page
    page.evaluate("document.querySelector('input').parentNode.replaceWith(document.querySelector('input'))")
    page.evaluate("document.querySelector('h1').insertAdjacentHTML('afterend', '<h4>x</h4>')")

    assert {rule["id"] for rule in Axe().run(page).response["violations"]} >= {"label", "heading-order"}


@pytest.mark.parametrize("name", PAGES)
def test_everything_that_acts_is_reached_by_the_keyboard_and_can_be_seen_there(opened: Open, name: str) -> None:
    page = opened(name).page
    acting = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
           .filter(each => each.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: false })).length"""
    )
    reached = []
    for _ in range(acting):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => { const on = document.activeElement; const style = getComputedStyle(on);
                   on.dataset.reached = "yes";
                   return [on.tagName, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0] }"""
            )
        )

    assert [tag for tag, seen in reached if not seen] == []
    assert page.locator("[data-reached]").count() == acting
    assert acting > 0 or name not in (CLASS, STUDENTS[0])


@pytest.mark.parametrize("name", PAGES)
def test_what_is_folded_unfolds_by_the_keyboard(opened: Open, name: str) -> None:
    page = opened(name).page
    summaries = page.locator("details:not([open]) > summary:visible")
    if not summaries.count():
        return
    folded = page.locator("details:not([open])").first
    handle = folded.element_handle()
    folded.locator("> summary").focus()
    page.keyboard.press("Enter")

    assert handle.get_property("open").json_value() is True


@pytest.mark.parametrize("name", PAGES)
def test_a_page_refuses_scripts_styles_and_images_that_are_not_its_own(opened: Open, name: str) -> None:
    found = opened(name)
    found.page.evaluate(
        """() => { const make = (tag, more) => document.body.append(Object.assign(document.createElement(tag), more));
           make("script", { textContent: "window.acted = 1" });
           make("img", { src: "http://127.0.0.1:9/x.png" });
           make("style", { textContent: "body { display: none }" }); }"""
    )
    found.page.wait_for_timeout(50)

    assert found.page.evaluate("window.acted") is None
    assert found.page.locator("h1").is_visible()
    assert len(found.console) >= 3
    assert all("Content Security Policy" in said for said in found.console)


@pytest.mark.parametrize("name", PAGES)
def test_it_can_be_printed(opened: Open, name: str, shots: Path | None) -> None:
    page = opened(name).page
    path = shots / f"{label(name, 'print')}.pdf" if shots else None
    printed = page.pdf(prefer_css_page_size=True, print_background=True, path=path)
    sheets = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))

    assert sheets >= 1
    if name in STUDENTS and "script-alert" not in name:
        assert sheets <= 3


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_it_says_the_same(opened: Open, name: str) -> None:
    texts = []
    for scripts in (True, False):
        page = opened(name, java_script_enabled=scripts).page
        texts.append({line.strip() for line in page.locator("main").inner_text().splitlines()})

    assert texts[1] <= texts[0]
    assert name == CLASS or texts[0] == texts[1]
