"""The colours of the pages: what is text can be read on what it stands on, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader import reports

from .test_heatmaps import luminance

SHEET = (Path(reports.__file__).parent / "templates" / "style.css").read_text("utf-8")
TEXT = ("ink", "quiet", "link", "good", "bad", "warn", "wait", "keyword", "string", "remark", "digit", "name")
ON = {
    "paper": TEXT,
    "panel": TEXT,
    "note": ("ink", "quiet", "link"),
    "meant": ("ink", "keyword", "string", "digit", "name"),
}
"""Grounds, and what stands on them."""


def variables(theme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)
    light, dark, printed = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block)) for block in blocks[:3])
    return {"light": light, "dark": light | dark, "print": light | printed}[theme]


def contrast(one: str, other: str) -> float:
    whole = [
        colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:]) for colour in (one, other)
    ]
    shade, light = sorted(map(luminance, whole))
    return (light + 0.05) / (shade + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("ground", ON)
def test_text_has_enough_contrast_with_what_it_stands_on(ground: str, theme: str) -> None:
    colours = variables(theme)

    for text in ON[ground]:
        assert contrast(colours[text], colours[ground]) >= 4.5, f"{text} on {ground}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_and_borders_that_say_something_can_be_seen(theme: str) -> None:
    colours = variables(theme)

    for shape in ("fill", "good", "bad", "warn"):
        assert contrast(colours[shape], colours["paper"]) >= 3, shape
    assert contrast(colours["fill"], colours["track"]) >= 3
    assert contrast(colours["good"], colours["track"]) >= 3


def test_contrast_is_measured_as_it_is_defined() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)
