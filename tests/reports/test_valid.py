"""Every page parses without a single error, as the standard of HTML defines them."""

from __future__ import annotations

from collections import Counter

import pytest
from tinyhtml5.parser import HTMLParser

from grader.reports import class_page, pages

from . import sample
from .invented import invented

FILES = class_page.render(sample.cohort(interrupted=True)) | pages.render(sample.cohort())


def errors(page: bytes) -> list[object]:
    parser = HTMLParser()
    parser.parse(page.decode())
    return list(parser.errors)


@pytest.mark.parametrize("name", FILES)
def test_a_page_is_valid(name: str) -> None:
    assert errors(FILES[name]) == []


def test_the_page_of_a_large_class_is_valid() -> None:
    assert errors(class_page.class_page(invented(60, 40))) == []


@pytest.mark.parametrize(
    "content",
    ["<p><div></div></p>", "<p id=a id=b>", "<table><p>x</table>", "<p>a & b &foo; c", "<ul><li></div></ul>"],
)
def test_what_is_not_valid_is_noticed(content: str) -> None:
    page = f'<!doctype html><html lang="en"><head><title>x</title></head><body>{content}</body></html>'

    assert errors(page.encode())


@pytest.mark.parametrize("name", FILES)
def test_no_two_elements_have_the_same_id(name: str) -> None:
    parser = HTMLParser()
    tree = parser.parse(FILES[name].decode())
    counted = Counter(identity for element in tree.iter() if (identity := element.get("id")))

    assert [identity for identity, count in counted.items() if count > 1] == []
