from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from grader.errors import ConfigurationError
from grader.model import Submission
from grader.submissions import find


@pytest.fixture
def put(tmp_path: Path):
    """Write files below the folder `class`, by path, and return that folder."""

    def put(*paths: str, content: str | bytes = "x = 1\n") -> Path:
        for path in paths:
            file = tmp_path / "class" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "class"

    return put


def by_student(*paths: Path) -> dict[str, Submission]:
    submissions = find(paths)
    assert len({submission.student for submission in submissions}) == len(submissions)
    return {submission.student: submission for submission in submissions}


def files(submission: Submission) -> list[str]:
    return [file.path for file in submission.files]


def ignored(submission: Submission) -> dict[str, str]:
    return {file.path: file.reason for file in submission.ignored}


# -- whose file is whose -----------------------------------------------------------------------------------------------


def test_every_file_of_a_class_is_one_student(put):
    found = by_student(put("ada.py", "zoë.py"))

    assert list(found) == ["ada", "zoë"]
    assert files(found["ada"]) == ["ada.py"]
    assert found["ada"].files[0].content == b"x = 1\n"
    assert found["ada"].origin.name == "ada.py"
    assert found["ada"].rejected is None


def test_every_folder_of_a_class_is_one_student_with_all_files_below_it(put):
    found = by_student(put("ada/main.py", "ada/parts/__init__.py", "ada/parts/deep/heads.py", "bob/b.py"))

    assert list(found) == ["ada", "bob"]
    assert files(found["ada"]) == ["main.py", "parts/__init__.py", "parts/deep/heads.py"]
    assert found["ada"].origin.name == "ada"


def test_files_and_folders_can_stand_side_by_side(put):
    assert list(by_student(put("ada.py", "bob/main.py", "README.md", "roster.csv"))) == ["ada", "bob"]


def test_one_file_is_one_student(put):
    found = by_student(put("ada.py", "bob.py") / "ada.py")

    assert list(found) == ["ada"]


def test_in_the_folder_of_one_student_every_file_is_still_a_student(put):
    assert list(by_student(put("ada/main.py", "ada/heads.py") / "ada")) == ["heads", "main"]


def test_a_folder_of_nothing_but_folders_is_a_class_of_its_own(put):
    folder = put("carl/a.py", "group-2/anna/a.py", "group-2/inner/more/ben/a.py", "group-2/inner/more/dora/a.py")
    (folder / "group-2" / ".DS_Store").touch()
    put("group-2/__pycache__/x.pyc")

    found = by_student(folder)

    assert list(found) == ["anna", "ben", "carl", "dora"]
    assert found["ben"].origin == folder / "group-2" / "inner" / "more" / "ben"


def test_students_of_the_same_name_are_told_apart_by_what_stands_before_it(put):
    assert list(by_student(put("group-1/anna/a.py", "group-2/anna/a.py", "group-2/ben/a.py"))) == [
        "ben",
        "group-1/anna",
        "group-2/anna",
    ]


def test_students_of_the_same_name_from_two_paths_are_told_apart(put):
    folder = put("x/hw/anna.py", "y/hw/anna.py")

    assert list(by_student(folder / "x" / "hw", folder / "y" / "hw" / "anna.py")) == ["x/hw/anna", "y/hw/anna"]


def test_a_file_and_a_folder_of_the_same_name_are_told_apart(put):
    assert list(by_student(put("ada.py", "ada/main.py"))) == ["ada", "ada.py"]


def test_a_submission_that_two_paths_lead_to_is_read_once(put):
    folder = put("ada.py", "bob.py")

    assert list(by_student(folder, folder / "ada.py", folder / ".." / "class")) == ["ada", "bob"]


def test_the_order_does_not_depend_on_the_order_of_the_paths(put):
    folder = put("b.py", "a.py", "c.py")
    paths = [folder / "c.py", folder / "a.py", folder / "b.py"]

    assert find(paths) == find(paths[::-1]) == find([folder])


def test_relative_paths_work(put, monkeypatch):
    monkeypatch.chdir(put("ada.py"))

    assert list(by_student(Path("."))) == ["ada"]
    assert list(by_student(Path("ada.py"))) == ["ada"]


def test_composed_and_decomposed_names_stay_two_students_as_on_disk(put):
    assert sorted(by_student(put("zo\u00eb.py", "zoe\u0308.py"))) == ["zoe\u0308", "zo\u00eb"]


def test_names_with_spaces_hyphens_and_capitals_stay_as_they_are(put):
    found = by_student(put("-rf.py", "Ada Lovelace.py", "con.txt.py", "trailing .py", "dots...py", "x" * 252 + ".py"))

    assert list(found) == ["-rf", "Ada Lovelace", "con.txt", "dots..", "trailing ", "x" * 252]


def test_folders_with_such_names_stay_as_they_are_too(put):
    names = ["-rf", "CON", "ada.", "bob ", "con.txt", "x" * 255, "~root"]

    found = by_student(put(*(f"{name}/main.py" for name in names)))

    assert list(found) == names
    assert all(submission.rejected is None for submission in found.values())


def test_a_class_may_have_more_students_than_a_student_may_have_files(put):
    folder = put("last.py")
    for number in range(5001):
        (folder / f"{number}.py").write_bytes(b"")

    assert len(find([folder])) == 5002


def test_a_suffix_in_capitals_is_a_suffix(put):
    assert files(by_student(put("ada.PY"))["ada"]) == ["ada.PY"]


def test_undecodable_names_are_shown_and_kept_apart(put):
    folder = put("ada.py")
    for name in (b"caf\xe9.py", b"caf\xe8.py"):
        (folder / os.fsdecode(name)).write_text("")

    found = by_student(folder)

    assert list(found) == ["ada", "caf\ufffd.py", "caf\ufffd.py'"]
    assert files(found["caf\ufffd.py"]) == ["caf\ufffd.py"]
    assert found["caf\ufffd.py"].rejected is None


def test_undecodable_names_of_one_student_do_not_overwrite_each_other(put):
    folder = put("ada/ok.py")
    for name in (b"\xe9.py", b"\xe8.py"):
        (folder / "ada" / os.fsdecode(name)).write_text("")

    found = by_student(folder)["ada"]

    assert files(found) == ["ok.py", "\ufffd.py"]
    assert ignored(found) == {"\ufffd.py": "another file is shown under the same name"}


def test_names_that_would_mislead_are_shown_as_escapes(put):
    found = by_student(put("a\u202eb.py", "new\nline.py", "esc\x1b[31m/main.py"))

    assert list(found) == [r"a\u202eb", r"esc\x1b[31m", r"new\nline"]


# -- what is not looked at ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("conftest.py", "configuration of a tool, which is never obeyed"),
        ("sitecustomize.py", "configuration of a tool"),
        ("usercustomize.py", "configuration of a tool"),
        ("pytest.ini", "configuration of a tool"),
        ("tox.ini", "configuration of a tool"),
        ("setup.cfg", "configuration of a tool"),
        ("pyproject.toml", "configuration of a tool"),
        ("evil.pth", "configuration of a tool"),
        ("sub/conftest.py", "configuration of a tool"),
        ("torch.py", "torch is the name of a module of Python or of a library; give it another"),
        ("json.py", "json is the name of a module"),
        ("sub/typing.py", "typing is the name of a module"),
        ("grader.py", "grader is the name of a module"),
        ("numpy/__init__.py", "numpy is the name of a module"),
        (".hidden.py", "hidden by its name"),
        (".git/hooks.py", "hidden by its name"),
        (".ipynb_checkpoints/main.py", "hidden by its name"),
        ("__pycache__/main.py", "a folder of other people's code"),
        ("node_modules/x.py", "a folder of other people's code"),
        ("main.py~", "an editor's backup"),
        ("main.py.bak", "an editor's backup"),
        ("#main.py#", "an editor's backup"),
        (".main.py.swp", "hidden by its name"),
        (".ipynb_checkpoints/main-checkpoint.ipynb", "hidden by its name"),
        (".hidden.ipynb", "hidden by its name"),
        ("main.ipynb~", "an editor's backup"),
        ("notebook.ipynb", "it is Python code, not a notebook; give it a name that ends in .py"),
        ("data.zip", "an archive; it is not looked into beside files that can be graded"),
        ("sub/data.tar.gz", "an archive; it is not looked into beside files that can be graded"),
        ("notes.txt", "only .py and .ipynb files are graded"),
        ("Makefile", "only .py and .ipynb files are graded"),
    ],
)
def test_what_is_ignored_is_listed_with_its_reason(put, name, reason):
    found = by_student(put("ada/main.py", f"ada/{name}"))["ada"]

    (listed,) = found.ignored
    assert files(found) == ["main.py"]
    assert listed.path in (name, f"{name.split('/')[0]}/", name.split("/")[0])
    assert listed.reason.startswith(reason)
    assert found.rejected is None


def test_a_virtual_environment_is_not_the_students_code(put):
    found = by_student(put("ada/main.py", "ada/venv/pyvenv.cfg", "ada/venv/lib/x.py"))["ada"]

    assert files(found) == ["main.py"]
    assert ignored(found) == {"venv/": "a virtual environment"}


def test_a_name_inside_a_package_shadows_nothing(put):
    found = by_student(put("ada/main.py", "ada/parts/__init__.py", "ada/parts/types.py", "ada/code/heads.py"))["ada"]

    assert files(found) == ["code/heads.py", "main.py", "parts/__init__.py", "parts/types.py"]


def test_configuration_beside_the_students_belongs_to_nobody(put):
    assert list(by_student(put("ada.py", "conftest.py", "pyproject.toml", ".hidden.py", "notes.md"))) == ["ada"]


@pytest.mark.parametrize("link", ["ada.py", "ada", "ada/main.py", "ada/parts"])
@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "/nowhere", "secret.py"])
def test_links_are_never_followed(put, tmp_path, link, target):
    folder = put("bob.py")
    (tmp_path / "secret.py").write_text("SECRET = 1")
    (folder / link).parent.mkdir(exist_ok=True)
    (folder / link).symlink_to(tmp_path / target)

    found = by_student(folder)["ada"]

    assert found.files == ()
    assert list(ignored(found).values()) == ["a link; links are not followed"]
    assert "a link; links are not followed" in found.rejected


def test_a_link_that_is_given_is_not_followed_either(put, tmp_path):
    put("ada.py")
    (tmp_path / "link").symlink_to(tmp_path / "class")

    found = by_student(tmp_path / "link")["link"]

    assert "a link; links are not followed" in found.rejected


@pytest.mark.parametrize("name", ["ada.py", "ada/main.py"])
def test_pipes_and_sockets_are_never_opened(put, name, monkeypatch):
    folder = put("bob.py", "ada/ok.py" if "/" in name else "bob.py")
    monkeypatch.chdir(folder)
    os.mkfifo(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("cleo.py")

        found = by_student(folder)

    assert name.split("/")[-1] in ignored(found["ada"])
    assert ignored(found["cleo"]) == {"cleo.py": "not a regular file"}
    assert found["cleo"].rejected == "no file that can be graded was handed in (cleo.py: not a regular file)"
    assert found["bob"].rejected is None


def test_a_device_that_is_given_is_never_opened():
    found = by_student(Path("/dev/zero"))["zero"]

    assert found.rejected == "no file that can be graded was handed in (zero: not a regular file)"


# -- what is rejected --------------------------------------------------------------------------------------------------


def test_a_student_who_handed_in_only_what_cannot_be_graded_is_not_lost(put):
    found = by_student(put("ada.ipynb", "bob.zip", "cleo/notes.txt"))

    assert list(found) == ["ada", "bob", "cleo"]
    assert found["ada"].rejected == (
        "no file that can be graded was handed in (ada.ipynb: it is Python code, not a notebook; "
        "give it a name that ends in .py and hand it in again)"
    )
    assert found["bob"].rejected.startswith("bob.zip: it is no archive, or a damaged one; pack the files as a zip")
    assert "notes.txt: only .py and .ipynb files are graded" in found["cleo"].rejected


def test_an_empty_folder_is_rejected(put):
    folder = put("bob.py")
    (folder / "ada").mkdir()

    found = by_student(folder)["ada"]

    assert found.rejected == "the folder is empty"


def test_many_reasons_are_not_all_repeated(put):
    found = by_student(put(*(f"ada/{n}.txt" for n in range(9))))["ada"]

    assert found.rejected.count("only .py and .ipynb files are graded") == 3
    assert found.rejected.endswith("; …)")
    assert len(found.ignored) == 9


def test_a_file_that_is_too_large_is_rejected_but_the_class_is_read(put):
    put("ada.py", content=b"#" * ((2 << 20) + 1))
    put("exact.py", content=b"#" * (2 << 20))

    found = by_student(put("bob.py"))

    assert found["ada"].rejected == "ada.py is larger than 2 MiB"
    assert found["ada"].files == ()
    assert found["exact"].rejected is None
    assert found["bob"].rejected is None


def test_a_large_file_that_is_not_graded_anyway_does_no_harm(put):
    put("ada/data.csv", content=b"1" * (20 << 20))

    assert by_student(put("ada/main.py"))["ada"].rejected is None


def test_files_that_are_too_large_together_are_rejected(put):
    put(*(f"ada/{n}.py" for n in range(5)), content=b"#" * (7 << 18))

    assert by_student(put("bob.py"))["ada"].rejected == "the code is larger than 8 MiB altogether"


def test_too_many_files_are_rejected(put):
    put(*(f"ada/m{n}.py" for n in range(201)))
    found = by_student(put(*(f"bob/m{n}.py" for n in range(200))))

    assert found["ada"].rejected == "more than 200 .py and .ipynb files were handed in"
    assert found["bob"].rejected is None


def test_too_many_entries_are_rejected(put):
    folder = put("ada/main.py")
    for number in range(5001):
        (folder / "ada" / f"{number}.txt").touch()

    assert by_student(folder)["ada"].rejected == "more than 5000 files and folders were handed in"


@pytest.mark.parametrize("depth", [40, 900])
def test_folders_nested_too_deep_are_rejected(put, monkeypatch, depth):
    folder = put("ada/main.py", "bob.py")
    monkeypatch.chdir(folder / "ada")
    for _ in range(depth):
        os.mkdir("d")
        os.chdir("d")

    found = by_student(folder)

    assert found["ada"].rejected == "folders are nested more than 32 deep"
    assert found["bob"].rejected is None


def test_classes_nested_too_deep_are_rejected(put, monkeypatch):
    folder = put("bob.py")
    monkeypatch.chdir(folder)
    for _ in range(900):
        os.mkdir("d")
        os.chdir("d")

    found = by_student(folder)

    assert found["d"].rejected == "folders are nested more than 32 deep"
    assert found["bob"].rejected is None


@pytest.mark.parametrize("name", ["ada.py", "ada/main.py", "ada/parts/x.py", "ada", "ada.zip"])
def test_what_cannot_be_read_is_rejected_but_the_class_is_read(put, tmp_path, name):
    folder = put("bob.py", "ada/ok.py" if "." not in name.split("/")[0] else "bob.py")
    if name != "ada":
        put(name)
    locked = folder / ("ada/parts" if "parts" in name else name)
    code = (
        "import os, sys, pathlib; import grader.submissions as s; os.getuid() or os.setresuid(65534, 65534, 65534);"
        "[print(x.student, '|', x.rejected) for x in s.find([pathlib.Path('.')])]"
    )
    root = Path(__file__).parents[1]
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(0o711)
    folder.chmod(0o755)
    locked.chmod(0)
    try:
        finished = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={"PYTHONPATH": str(root)},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        locked.chmod(0o755)

    ada, bob = finished.stdout.splitlines()
    assert ada.startswith("ada | ")
    assert ada.endswith("cannot be read: Permission denied")
    assert bob == "bob | None"


# -- notebooks ---------------------------------------------------------------------------------------------------------


def notebook(*sources: str, **others: object) -> str:
    cell = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []} | others
    cells = [cell | {"id": f"id-{number}", "source": source} for number, source in enumerate(sources)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


def test_a_notebook_is_read_like_a_module(put):
    (file,) = by_student(put("ada.ipynb", content=notebook("x = 1", "!pip install einops")))["ada"].files

    assert file.path == "ada.ipynb"
    assert file.content.split() == b"x = 1 pass".split()
    assert [cell.source for cell in file.cells] == ["x = 1", "!pip install einops"]
    assert len(file.repairs) == 1


def test_a_folder_may_hold_notebooks_and_modules(put):
    put("ada/a.ipynb", "ada/parts/b.IPYNB", content=notebook("x = 1"))
    found = by_student(put("ada/c.py"))["ada"]

    assert files(found) == ["a.ipynb", "c.py", "parts/b.IPYNB"]
    assert [bool(file.cells) for file in found.files] == [True, False, True]


def test_a_notebook_beside_the_module_of_its_name_belongs_to_the_same_student(put):
    put("ada.ipynb", content=notebook("x = 1"))
    found = by_student(put("ada.py"))

    assert list(found) == ["ada"]
    assert files(found["ada"]) == ["ada.ipynb", "ada.py"]
    assert found["ada"].origin.name == "ada.py"


def test_a_notebook_that_cannot_be_read_is_ignored_beside_what_can(put):
    put("ada/torn.ipynb", content=notebook("x = 1")[:50])
    found = by_student(put("ada/main.py"))["ada"]

    assert files(found) == ["main.py"]
    assert ignored(found)["torn.ipynb"].startswith("it breaks off in line 1: it was cut off")
    assert found.rejected is None


def test_a_notebook_that_cannot_be_read_is_the_first_reason_for_a_rejection(put):
    put("ada/z.ipynb", content="")
    found = by_student(put("ada/a.txt", "ada/b.txt", "ada/c.txt"))["ada"]

    assert found.rejected.startswith("no file that can be graded was handed in (z.ipynb: it is empty; save")


@pytest.mark.parametrize("name", ["torch", "json", "grader", "conftest"])
def test_a_notebook_may_be_called_like_a_library(put, name):
    put(f"ada/{name}.ipynb", content=notebook("x = 1"))
    found = by_student(put("ada/main.py"))["ada"]

    assert files(found) == sorted([f"{name}.ipynb", "main.py"])


def test_only_the_code_of_a_notebook_counts_towards_the_limits(put):
    output = [{"output_type": "stream", "name": "stdout", "text": "x" * (3 << 20)}]
    put(*(f"ada/{number}.ipynb" for number in range(4)), content=notebook("x = 1", outputs=output))
    put(*(f"bob/{number}.ipynb" for number in range(5)), content=notebook("x" * (7 << 18)))
    found = by_student(put("cleo/broken.ipynb", content=notebook("x" * (3 << 20))))

    assert found["ada"].rejected is None
    assert found["bob"].rejected == "the code is larger than 8 MiB altogether"
    assert "its code is larger than 2 MiB; leave out" in found["cleo"].rejected


def test_code_that_is_no_python_counts_towards_the_limits_too(put):
    folder = put(*(f"ada/{number}.ipynb" for number in range(5)), content=notebook("%%bash\n" + "x" * (7 << 18)))

    assert by_student(folder)["ada"].rejected == "the code is larger than 8 MiB altogether"


def test_the_digest_of_a_notebook_depends_on_the_code_of_its_cells_alone(put):
    put("a/x.ipynb", content=notebook("x = 1", "%%bash\nls"))
    put("b/x.ipynb", content=notebook("x = 1", "%%bash\nls", outputs=[{"output_type": "x"}], execution_count=7))
    put("c/x.ipynb", content=notebook("x = 1", "%%bash\nls -l"))
    put("d/x.ipynb", content=notebook("x = 1\n", "%%bash\nls"))
    put("e/y.ipynb", content=notebook("x = 1", "%%bash\nls"))
    put("f/x.ipynb", content=notebook("x = 1", "", "%%bash\nls"))
    put("g/x.ipynb", content=notebook("x = 1", "!ls"))
    folder = put("h/x.ipynb", content=notebook("x = 1", "pass"))
    digests = [
        by_student(folder / part / name)[name[0]].digest
        for part, name in zip("abcdefgh", ["x.ipynb"] * 4 + ["y.ipynb"] + ["x.ipynb"] * 3, strict=True)
    ]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 7


# -- archives ----------------------------------------------------------------------------------------------------------


def zipped(files: dict[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(files: dict[str, str | bytes], mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in files.items():
            entry, data = tarfile.TarInfo(name), content.encode() if isinstance(content, str) else content
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


WORK = {"main.py": "x = 1", "parts/heads.py": "y = 2", "notes.txt": "z", "conftest.py": "", "json.py": ""}


@pytest.mark.parametrize("top", ["", "ada/", "ada-main/"])
@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "ZIP"])
def test_an_archive_is_graded_like_the_folder_it_was_made_of(put, top, suffix):
    for name, content in WORK.items():
        put(f"folder/ada/{name}", content=content)
    files_in_it = {top + name: content for name, content in WORK.items()}
    mode = {"tar": "w", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}.get(suffix, "w:gz")
    content = zipped(files_in_it) if suffix.lower() == "zip" else tarred(files_in_it, mode)
    folder = put(f"packed/ada.{suffix}", content=content)

    found, unpacked = by_student(folder / "packed")["ada"], by_student(folder / "folder")["ada"]

    assert found.files == unpacked.files
    assert found.digest == unpacked.digest
    assert found.ignored == unpacked.ignored
    assert found.rejected is None
    assert by_student(folder / "packed" / f"ada.{suffix}")["ada"].files == unpacked.files


@pytest.mark.parametrize("name", ["ada.zip", "ada/whatever.zip", "ada/deep/er/hw.zip"])
def test_an_archive_stands_for_its_files_wherever_it_is_all_there_is(put, name):
    put("ada/notes.txt" if "/" in name else "bob.py")

    found = by_student(put(name, content=zipped({"main.py": "x = 1"})))

    assert files(found["ada"]) == ["main.py"]


def test_a_package_that_is_all_an_archive_holds_stays_a_package(put):
    folder = put("ada.zip", content=zipped({"parts/__init__.py": "", "parts/heads.py": ""}))

    assert files(by_student(folder)["ada"]) == ["parts/__init__.py", "parts/heads.py"]


def test_what_a_mac_leaves_in_an_archive_is_ignored(put):
    content = zipped({"hw/main.py": "x = 1", "__MACOSX/hw/._main.py": "\0", ".DS_Store": "", "hw/._main.py": "\0"})

    found = by_student(put("ada.zip", content=content))["ada"]

    assert files(found) == ["main.py"]
    assert list(ignored(found)) == ["__MACOSX", ".DS_Store", "._main.py"]


def test_a_notebook_in_an_archive_is_read_as_a_notebook(put):
    (file,) = by_student(put("ada.zip", content=zipped({"hw.ipynb": notebook("x = 1")})))["ada"].files

    assert [cell.source for cell in file.cells] == ["x = 1"]


def test_an_archive_beside_a_module_of_its_name_is_ignored(put):
    put("ada.zip", content=zipped({"main.py": "x = 1"}))

    found = by_student(put("ada.py"))["ada"]

    assert files(found) == ["ada.py"]
    assert ignored(found) == {"ada.zip": "an archive; it is not looked into beside files that can be graded"}


def test_an_archive_is_read_where_everything_else_cannot_be(put):
    put("ada/hw.zip", content=zipped({"main.py": "x = 1"}))
    found = by_student(put("ada/torn.ipynb", "ada/notes.txt", content="{"))["ada"]

    assert files(found) == ["main.py"]
    assert list(ignored(found)) == ["notes.txt", "torn.ipynb"]


def test_of_several_archives_none_is_chosen(put):
    found = by_student(put(*(f"ada/{n}.zip" for n in range(5)), content=zipped({"main.py": "x = 1"})))["ada"]

    assert found.rejected == ("several archives were handed in (0.zip, 1.zip, 2.zip, …); hand in the one that is meant")


def test_an_archive_in_an_archive_is_ignored_beside_other_files(put):
    inner = zipped({"other.py": ""})

    found = by_student(put("ada.zip", content=zipped({"main.py": "x = 1", "more.zip": inner})))["ada"]

    assert files(found) == ["main.py"]
    assert ignored(found)["more.zip"].startswith("an archive inside an archive, which is not looked into; unpack it")


def test_an_archive_of_nothing_but_an_archive_is_rejected(put):
    found = by_student(put("ada.zip", content=zipped({"more.zip": zipped({"main.py": ""})})))["ada"]

    assert "more.zip: an archive inside an archive, which is not looked into; unpack it" in found.rejected


def test_an_archive_without_anything_is_rejected(put):
    put("ada.tar", content=tarred({}, "w"))
    found = by_student(put("bob.zip", content=zipped({})))

    assert found["ada"].rejected == "ada.tar is empty"
    assert found["bob"].rejected == "bob.zip is empty"


def test_an_unsafe_archive_rejects_its_submission_and_no_other(put, tmp_path):
    put("ada.zip", content=zipped({"main.py": "x = 1", "../../evil.py": "x = 1"}))
    put("cleo/hw.tar.gz", content=tarred({"/etc/evil.py": "x = 1"}))

    found = by_student(put("bob.py"))

    assert found["ada"].rejected.startswith("ada.zip: its entry '../../evil.py' has a name that leads out of the arch")
    assert found["ada"].files == ()
    assert found["cleo"].rejected.startswith("hw.tar.gz: its entry '/etc/evil.py' has an absolute name")
    assert found["bob"].rejected is None
    assert not list(tmp_path.rglob("evil.py"))


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({"big.py": os.urandom((2 << 20) + 1)}, "big.py is larger than 2 MiB"),
        ({f"{n}.py": os.urandom(1 << 20).hex()[: 7 << 18] for n in range(5)}, "the code is larger than 8 MiB"),
        ({f"m{n}.py": "" for n in range(201)}, "more than 200 .py and .ipynb files were handed in"),
        ({f"{n}.txt": "" for n in range(5001)}, "ada.zip: it holds more than 5000 files and folders; leave out"),
        ({"d/" * 40 + "main.py": ""}, "folders are nested more than 32 deep"),
    ],
    ids=["file", "total", "files", "entries", "depth"],
)
def test_the_limits_are_those_of_a_folder(put, contents, reason):
    assert by_student(put("ada.zip", content=zipped(contents)))["ada"].rejected.startswith(reason)


def test_a_link_to_an_archive_is_not_followed(put, tmp_path):
    (tmp_path / "hw.zip").write_bytes(zipped({"main.py": "x = 1"}))
    folder = put("bob.py")
    (folder / "ada.zip").symlink_to(tmp_path / "hw.zip")

    assert "a link; links are not followed" in by_student(folder)["ada"].rejected
    assert "a link; links are not followed" in by_student(folder / "ada.zip")["ada"].rejected


# -- a class in one archive --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", ["", "class/"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_of_folders_and_archives_is_a_class_like_the_folder_it_was_made_of(put, top, pack):
    inside = {"ada/main.py": "x = 1", "bob/hw.zip": zipped({"hw/main.py": "x = 2"}), "cleo.zip": zipped({"c.py": ""})}
    for name, content in inside.items():
        put(name, content=content)
    folder = put("eve/notes.txt")
    archive = folder.parent / "class.zip"
    archive.write_bytes(pack({top + name: content for name, content in {**inside, "eve/notes.txt": "x = 1"}.items()}))

    found, unpacked = by_student(archive), by_student(folder)

    assert list(found) == list(unpacked) == ["ada", "bob", "cleo", "eve"]
    assert [s.files for s in found.values()] == [s.files for s in unpacked.values()]
    assert [s.rejected for s in found.values()] == [s.rejected for s in unpacked.values()]
    assert found["bob"].origin.relative_to(archive).parts[-1] == "bob"


def test_groups_in_an_archive_are_classes_of_their_own(put):
    content = zipped({"group-1/anna/a.py": "", "group-2/anna/a.py": "", "group-2/ben/a.py": ""})

    assert list(by_student(put("all.zip", content=content) / "all.zip")) == ["ben", "group-1/anna", "group-2/anna"]


def test_an_empty_folder_in_the_archive_of_a_class_is_a_student_who_handed_in_nothing(put):
    found = by_student(put("all.zip", content=zipped({"ada/": "", "bob/main.py": ""})) / "all.zip")

    assert found["ada"].rejected == "the folder is empty"
    assert found["bob"].rejected is None


def test_one_students_unsafe_archive_in_the_archive_of_a_class_leaves_the_others_alone(put):
    content = zipped({"ada/hw.zip": zipped({"../evil.py": ""}), "bob/main.py": ""})

    found = by_student(put("all.zip", content=content) / "all.zip")

    assert "leads out of the archive" in found["ada"].rejected
    assert found["bob"].rejected is None


def test_an_unsafe_archive_that_was_given_is_rejected_with_what_to_do_about_a_class(put):
    folder = put("all.zip", content=zipped({"ada/main.py": "", "bob/../../evil.py": ""}))

    found = by_student(folder / "all.zip")["all"]

    assert found.rejected.endswith("; if it is a whole class, unpack it and grade the folder")


def test_in_a_class_an_archive_of_folders_is_one_student(put):
    found = by_student(put("ada.zip", content=zipped({"src/main.py": "", "more/heads.py": ""})))

    assert list(found) == ["ada"]
    assert files(found["ada"]) == ["more/heads.py", "src/main.py"]


# -- digest and disk ---------------------------------------------------------------------------------------------------


def test_the_digest_depends_on_names_and_contents_alone(put):
    put("x/ada/a.py", "y/ada/a.py", "z/ada/b.py")
    folder = put("w/ada/a.py", content="other")
    digests = [by_student(folder / part)["ada"].digest for part in "xyzw"]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_digest_tells_where_one_file_ends_and_the_next_begins(put):
    put("x/ada/a.py", content="1")
    put("x/ada/b.py", content="2")
    put("y/ada/a.py", content="1b.py\n1\n2")
    folder = put("y/ada/b.py", content="")

    assert by_student(folder / "x")["ada"].digest != by_student(folder / "y")["ada"].digest


def test_ignored_files_do_not_change_the_digest(put):
    folder = put("ada/main.py")
    before = by_student(folder)["ada"].digest
    put("ada/notes.txt")

    assert by_student(folder)["ada"].digest == before


def test_nothing_that_was_handed_in_is_changed(put):
    put("cleo.zip", content=zipped({"a/main.py": "x = 1", "a/data.csv": "1"}))
    put("dora.zip", content=zipped({"../evil.py": "x = 1"}))
    folder = put("ada/main.py", "ada/conftest.py", "bob.py", "cleo.ipynb")
    (folder / "ada" / "link.py").symlink_to(folder / "bob.py")
    os.mkfifo(folder / "ada" / "pipe.py")

    def snapshot() -> list[tuple[str, int, int, str]]:
        return sorted(
            (
                str(path),
                path.lstat().st_mtime_ns,
                path.lstat().st_mode,
                hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(path.lstat().st_mode) else "",
            )
            for path in folder.parent.rglob("*")
        )

    before = snapshot()

    find([folder, folder / "cleo.zip", folder / "dora.zip"])

    assert snapshot() == before


# -- paths that lead nowhere -------------------------------------------------------------------------------------------


def test_a_path_that_does_not_exist_is_answered_with_the_nearest(put):
    folder = put("adalovelace.py")

    with pytest.raises(ConfigurationError, match="there is no file or folder") as caught:
        find([folder / "adalovelac.py"])

    assert caught.value.hint == f"did you mean {folder / 'adalovelace.py'}?"
    assert caught.value.path == folder / "adalovelac.py"


def test_a_path_in_a_folder_that_does_not_exist_says_so(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        find([tmp_path / "no" / "thing"])

    assert caught.value.hint == f"there is no folder {tmp_path / 'no'} either"


def test_a_path_like_no_other_is_answered_with_advice(put):
    with pytest.raises(ConfigurationError) as caught:
        find([put("ada.py") / "something-else-entirely"])

    assert caught.value.hint == "check the name"


def test_a_path_below_a_file_is_answered(put):
    with pytest.raises(ConfigurationError, match="Not a directory"):
        find([put("ada.py") / "ada.py" / "x"])


@pytest.mark.parametrize("names", [[], ["README.md"], [".hidden.py"]])
def test_a_folder_without_submissions_is_answered_with_what_one_is(put, tmp_path, names):
    (tmp_path / "class").mkdir()
    put(*names)

    with pytest.raises(ConfigurationError, match="no submissions were found in") as caught:
        find([tmp_path / "class"])

    assert caught.value.hint == "a submission is a .py or .ipynb file, an archive of such files, or a folder with them"


def test_no_path_at_all_is_answered():
    with pytest.raises(ConfigurationError, match="no path at all"):
        find([])
