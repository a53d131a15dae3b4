"""`junit.xml`: the results as pytest would write them, for GitLab, Jenkins, and whatever else reads its dialect.

A check that is wrong is a failure, one that waits for another is skipped, and only what is our own failure is an error,
as is a submission that cannot be graded at all. The format knows no points, so they are properties of each case; a
reader that does not know them passes them over. Like a student's page it holds nothing that its student may not read.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from grader.model import CheckGrade, Cohort, Grade, HiddenFeedback, Outcome
from grader.reports.texts import TEXTS
from grader.reports.withholding import without_secrets
from grader.reports.wording import OUTCOME_SENTENCES, STATUS_NAMES, clip, number, place, visible

FILE = "junit.xml"

_LONGEST = 4_000
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def render(cohort: Cohort) -> dict[str, bytes]:
    """The one file of this format: a suite for each grade, a case for each check."""
    feedback = {assignment.id: assignment.hidden_feedback for assignment in cohort.assignments}
    told = [without_secrets(each, feedback.get(each.assignment, HiddenFeedback.OUTCOME)) for each in cohort.grades]
    root = ET.Element("testsuites", name="grader")
    for grade in told:
        root.append(_suite(grade, cohort.finished))
    ET.indent(root)
    return {FILE: ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"}


def legal(text: str) -> str:
    """The text with everything that XML cannot hold written as pytest writes it: `#x07`."""
    return _ILLEGAL.sub(lambda found: f"#x{ord(found[0]):02X}", text)


def _suite(grade: Grade, finished: str) -> ET.Element:
    titles = {check.spec.id: check.spec.title for check in grade.checks}
    cases = [_case(grade.assignment, check, titles) for check in grade.checks] or [_not_graded(grade)]
    kinds = [child.tag for case in cases for child in case]
    suite = ET.Element(
        "testsuite",
        name=_attribute(grade.assignment),
        errors=str(kinds.count("error")),
        failures=str(kinds.count("failure")),
        skipped=str(kinds.count("skipped")),
        tests=str(len(cases)),
        time=_seconds(sum(check.result.seconds for check in grade.checks)),
        timestamp=_attribute(finished),
        hostname="grader",
    )
    suite.append(_properties(student=grade.student, points=number(grade.points), max_points=number(grade.max_points)))
    suite.extend(cases)
    return suite


def _case(assignment: str, check: CheckGrade, titles: dict[str, str]) -> ET.Element:
    module, _, name = check.spec.id.partition("::")
    case = ET.Element(
        "testcase",
        classname=_attribute(f"{assignment}.{module.removesuffix('.py')}"),
        name=_attribute(name),
        time=_seconds(check.result.seconds),
    )
    case.append(
        _properties(
            title=check.spec.title,
            concept=check.spec.concept,
            points=number(check.points),
            max_points=number(check.spec.points),
            hidden="true" if check.spec.hidden else "false",
        )
    )
    _tell(case, check, titles)
    return case


def _tell(case: ET.Element, check: CheckGrade, titles: dict[str, str]) -> None:
    """Add what became of the check, unless it passed."""
    result = check.result
    message = result.message or OUTCOME_SENTENCES[result.outcome]
    where = f"\n{place(result.where)}: {result.where.source}".rstrip(": ") if result.where else ""
    match result.outcome:
        case Outcome.PASSED:
            return
        case Outcome.BLOCKED:
            message = TEXTS.say("check.not-yet", title=titles.get(result.blocked_by or "", TEXTS["check.another"]))
            child = ET.SubElement(case, "skipped", type="pytest.skip", message=_attribute(message))
        case Outcome.INTERNAL:
            message = OUTCOME_SENTENCES[Outcome.INTERNAL]
            child = ET.SubElement(case, "error", message=_attribute(message))
        case _:
            child = ET.SubElement(case, "failure", message=_attribute(message))
    child.text = legal(visible(clip(f"{check.spec.title}\n{message}{where}", _LONGEST), multiline=True))


def _not_graded(grade: Grade) -> ET.Element:
    """The one case of a submission that has no checks to show, which did not go well."""
    case = ET.Element("testcase", classname=_attribute(grade.assignment), name="submission", time="0.000")
    child = ET.SubElement(case, "error", message=_attribute(STATUS_NAMES[grade.status]))
    child.text = legal(visible(clip(grade.reason, _LONGEST), multiline=True))
    return case


def _properties(**values: str) -> ET.Element:
    properties = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=_attribute(value))
    return properties


def _attribute(text: str) -> str:
    return legal(visible(clip(text, _LONGEST)))


def _seconds(value: float) -> str:
    return f"{value:.3f}"
