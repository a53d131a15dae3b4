from __future__ import annotations

import hashlib
import re

from hypothesis import example, given
from hypothesis import strategies as st

from grader.reports import file_names, names, render_all

from . import sample

SAFE = re.compile(r"[a-z0-9_][a-z0-9_-]{0,79}")
RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(10))}


@given(st.lists(st.text(alphabet=st.characters(), max_size=300), max_size=8))
@example(["CON", "con", "Con", "NUL", "com1", "lpt9.txt"])
@example(["ada", "Ada", "ADA", "a da", "a-da", "a.da"])
@example(["", ".", "..", "../x", "-rf", "x.", "x ", "\udcff", "\x00"])
@example(["x" * 255, "x" * 256, "\u017f", "\uff41"])
def test_every_name_is_portable_and_belongs_to_one_student(originals: list[str]) -> None:
    made = names.safe_names(originals)

    assert set(made) == set(originals)
    assert len(set(made.values())) == len(set(originals))
    for name in made.values():
        assert SAFE.fullmatch(name)
        assert name not in RESERVED


def test_a_plain_name_is_kept() -> None:
    assert names.safe_names(["ada", "group_7", "2024-0815"]) == {name: name for name in ("ada", "group_7", "2024-0815")}


def test_a_name_does_not_depend_on_who_else_is_in_the_class() -> None:
    alone = names.safe_names(["Zoë Müller"])
    together = names.safe_names(["zoe-muller", "Zoë Müller", "Zoe Müller"])

    assert together["Zoë Müller"] == alone["Zoë Müller"]


def test_nobody_can_take_the_name_made_for_another() -> None:
    made = names.safe_names(["Ada"])["Ada"]

    both = names.safe_names(["Ada", made])

    assert both["Ada"] == made
    assert both[made] != made


def test_made_names_hold_the_start_of_a_digest() -> None:
    digest = hashlib.sha256(b"Ada").hexdigest()[:8]

    assert names.safe_names(["Ada"]) == {"Ada": f"ada-{digest}"}


def test_all_report_files_are_below_the_folder_and_differ_even_by_case() -> None:
    files = render_all(sample.cohort())
    cohort = sample.cohort()

    assert len({name.lower() for name in files}) == len(files) == 3 + 3 * len(cohort.grades)
    assert all(re.fullmatch(r"(?:[a-z0-9_-]+/)?[a-z0-9_-]+\.(?:html|md|txt|csv|json)", name) for name in files)
    assert set(file_names(cohort)) == {grade.student for grade in cohort.grades}
