"""Pages as a person sees them: in Chromium, opened from a file, with the network and the console watched.

`pytest tests/browser --shots FOLDER` keeps pictures of every page in every size and light there, to be looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from grader.model import Cohort
from grader.reports import class_page, pages

from ..reports import sample
from ..reports.invented import invented

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shots", type=Path, metavar="FOLDER", help="keep pictures of the pages in this folder")


@pytest.fixture(scope="session")
def shots(pytestconfig: pytest.Config) -> Path | None:
    """Where pictures are wanted; None where nobody wants them."""
    folder: Path | None = pytestconfig.getoption("--shots", default=None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of two classes, in folders of their own: `sample`, and `large` with 500 students and 40 checks."""
    folder = tmp_path_factory.mktemp("reports")
    write(sample.cohort(interrupted=True), folder / "sample")
    large = class_page.render(invented(500, 40))
    (folder / "large").mkdir()
    for name, content in large.items():
        (folder / "large" / name).write_bytes(content)
    return folder


def write(cohort: Cohort, folder: Path) -> None:
    for name, content in (class_page.render(cohort) | pages.render(cohort)).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@dataclass
class Opened:
    """A page that is open, and what was noticed since."""

    page: Page
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


@pytest.fixture
def opened(chromium: Browser, reports: Path) -> Iterator[Callable[..., Opened]]:
    """Open a page by its name in `reports`, with options of a browser's context."""
    contexts: list[BrowserContext] = []

    def open_page(name: str, **options: Any) -> Opened:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        found = Opened(page)
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("console", lambda message: found.console.append(message.text))
        page.on("pageerror", lambda error: found.console.append(str(error)))
        page.goto((reports / name).as_uri())
        return found

    yield open_page
    for context in contexts:
        context.close()
