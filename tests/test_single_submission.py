"""A whole folder that is one student's."""

from __future__ import annotations

from pathlib import Path

from grader.submissions import find, single

CLASS = "class SelfAttention: ...\n"


def repository(folder: Path) -> Path:
    for name in ("attention.py", "notes/other.py", "assignments/a/checks/test_a.py", ".hidden/solutions/reference.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(CLASS)
    return folder


def test_every_file_in_it_belongs_to_one_student(tmp_path: Path) -> None:
    whole = single((repository(tmp_path),), student="ada")

    assert whole.student == "ada"
    assert [file.path for file in whole.files] == ["assignments/a/checks/test_a.py", "attention.py", "notes/other.py"]
    assert len(find((tmp_path,))) == 3, "as a class, they would be several students"


def test_folders_that_are_not_theirs_are_left_out_wherever_they_are(tmp_path: Path) -> None:
    root = repository(tmp_path)
    whole = single((root,), student="ada", without=(root / "assignments", root / "notes", tmp_path / "absent"))

    assert [file.path for file in whole.files] == ["attention.py"]
    assert not [file for file in whole.ignored if "assignments" in file.path]


def test_a_file_alone_is_a_submission_and_so_are_several(tmp_path: Path) -> None:
    root = repository(tmp_path)

    assert [file.path for file in single((root / "attention.py",), student="ada").files] == ["attention.py"]
    several = single((root / "notes", root / "attention.py"), student="ada")
    assert [file.path for file in several.files] == ["attention.py", "other.py"]


def test_what_is_not_there_rejects_the_submission(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert single((tmp_path / "absent",), student="ada").rejected == "absent cannot be read: No such file or directory"
    assert single((tmp_path / "empty",), student="ada").rejected == "the folder is empty"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    root = repository(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(root)

    assert single((tmp_path / "link",), student="ada").rejected is not None
