"""JUnit XML in pytest's dialect, well formed whatever stands in it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from grader.model import Grade, HiddenFeedback, Outcome, Status
from grader.reports import junit

from ..reports import sample

CHILDREN = {"properties", "failure", "error", "skipped"}
SUITE = {"name", "errors", "failures", "skipped", "tests", "time", "timestamp", "hostname"}


def written(*grades: Grade, feedback: HiddenFeedback = HiddenFeedback.DIAGNOSIS) -> ET.Element:
    return ET.fromstring(junit.render(sample.cohort(*grades, feedback=feedback))[junit.FILE])


def properties(element: ET.Element) -> dict[str, str]:
    found = element.find("properties")
    assert found is not None
    return {each.attrib["name"]: each.attrib["value"] for each in found}


def test_the_whole_class_is_well_formed_and_has_only_what_the_dialect_has() -> None:
    root = written()

    assert root.tag == "testsuites"
    for suite in root:
        assert suite.attrib.keys() == SUITE
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for kind in ("error", "failure", "skipped"):
            plural = {"error": "errors", "failure": "failures"}.get(kind, kind)
            assert int(suite.attrib[plural]) == len([case for case in cases if case.find(kind) is not None])
        for case in cases:
            assert case.attrib.keys() == {"classname", "name", "time"}
            assert {child.tag for child in case} <= CHILDREN
            assert len([child for child in case if child.tag != "properties"]) <= 1


def test_points_are_properties_of_the_suite_and_of_each_case() -> None:
    (suite,) = written(sample.ada())
    cases = {case.attrib["name"]: properties(case) for case in suite.findall("testcase")}

    assert properties(suite) == {"student": "ada", "points": "5", "max_points": "12"}
    assert [each["points"] for each in cases.values()] == ["2", "3", "0", "0", "0"]
    assert [each["max_points"] for each in cases.values()] == ["2", "3", "3", "2", "2"]
    assert cases["test_padding"]["hidden"] == "true"


def test_wrong_is_a_failure_waiting_is_skipped_and_only_ours_is_an_error() -> None:
    shape, softmax, scale, padding, causal = sample.SPECS
    (suite,) = written(
        sample.grade(
            "bob",
            sample.other(softmax, Outcome.ERRORED, "Your code raised."),
            sample.other(scale, Outcome.INTERNAL),
            sample.other(padding, Outcome.KILLED),
            *sample.waiting(softmax, causal),
        )
    )
    kinds = [[child.tag for child in case if child.tag != "properties"] for case in suite.findall("testcase")]

    assert kinds == [[], ["failure"], ["error"], ["failure"], ["skipped"]]
    skipped = suite.find("testcase/skipped")
    assert skipped is not None
    assert softmax.title in skipped.attrib["message"]
    assert shape.title not in skipped.attrib["message"]


def test_a_submission_that_cannot_be_graded_is_one_error_with_its_reason() -> None:
    (suite,) = written(sample.absent("carl", Status.REJECTED, "the folder is empty"))
    error = suite.find("testcase/error")

    assert suite.attrib["tests"] == suite.attrib["errors"] == "1"
    assert error is not None
    assert error.text == "the folder is empty"


@pytest.mark.parametrize("name", [*sample.HOSTILE_NAMES, "\x00\x08\ufffe\ud800", "]]><failure/>", "&#0;"])
def test_no_text_breaks_it_out_of_its_place(name: str) -> None:
    content = junit.render(sample.cohort(sample.hostile(name)))[junit.FILE]
    (suite,) = ET.fromstring(content)

    assert len(suite.findall("testcase")) == len(sample.SPECS)
    assert b"\x1b" not in content
    assert b"\x00" not in content


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_what_xml_cannot_hold_is_written_out(char: str) -> None:
    assert junit.legal(f"a{char}b") == f"a#x{ord(char):02X}b"
    assert junit.legal("tab\tand ü and 😀") == "tab\tand ü and 😀"


def test_of_hidden_checks_it_tells_no_more_than_the_assignment_says() -> None:
    told = {
        level: junit.render(sample.cohort(sample.ada(), feedback=level))[junit.FILE].decode()
        for level in HiddenFeedback
    }

    assert "by up to 0.31" in told[HiddenFeedback.DIAGNOSIS]
    assert "by up to 0.31" not in told[HiddenFeedback.OUTCOME]
    assert not [text for text in told.values() if "tensor([0.1" in text]
