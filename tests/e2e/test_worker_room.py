"""What a submission can see from where it runs: each puts what it finds into the message of an exception."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Cohort, Grade, IsolationLevel, Limits, Loading, Outcome
from grader.worker import namespaces

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

CANARY = "GRADER_TEST_CANARY"
OWN_ROOT = sys.platform == "linux" and namespaces.possible().kind is not namespaces.Kind.NONE
PRIVATE = [
    str(entry)
    for folder in (Path(__file__).parents[2], Path.home())
    for entry in folder.iterdir()
    if not any(Path(prefix).is_relative_to(entry) for prefix in (sys.prefix, sys.base_prefix))
]
"""The checkout and the home folder, but for what leads to Python."""

LOOKING = """
import json
import torch
from torch import nn
{imports}


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        raise LookupError(json.dumps(look()))


def look():
    {look}
"""

LOOKS = {
    "environment": ("import os", "return sorted(os.environ)"),
    "canaries": (
        "import ctypes, itertools, os, pathlib",
        f"""def told(place):
        try:
            return pathlib.Path(place).read_bytes()
        except OSError:
            return b""

    started_with = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    known = {{"memory": b" ".join(itertools.takewhile(bool, started_with))}}
    known |= {{place: told(place) for place in ("/proc/self/environ", f"/proc/{{os.getppid()}}/environ")}}
    return b"LANG" in known["memory"], [place for place, text in known.items() if b"{CANARY}" in text]""",
    ),
    "modules": (
        "import sys",
        """names = {name[7:] for name in sys.modules if name.startswith("grader.")}
    ours = {name for name in names if not name.startswith("worker.")}  # an exception's text is short
    return sorted(ours), sorted({"pytest", "_pytest", "pluggy", "rich", "click"} & set(sys.modules))""",
    ),
    "descriptors": (
        "import os, stat",
        """found = {}
    for number in range(4096):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        found[number] = "socket" if stat.S_ISSOCK(mode) else "device" if stat.S_ISCHR(mode) else "other"
    return [found, os.fstat(0).st_rdev == os.fstat(1).st_rdev == os.stat(os.devnull).st_rdev]""",
    ),
    "socket": (
        "import os, socket",
        """for number in range(3, 4096):
        try:
            end = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        return [end.family == socket.AF_UNIX, end.type == socket.SOCK_STREAM, end.getsockname(), end.getpeername()]""",
    ),
    "directory": (
        "import os, stat",
        """here = os.stat(".")
    mode = stat.S_IMODE(here.st_mode)
    return [os.listdir("."), oct(mode), here.st_uid == os.getuid(), os.getcwd() == os.environ["HOME"], os.getcwd()]""",
    ),
    "privileges": (
        "import ctypes, sys",
        """return {"no new": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0), "threads": len(sys._current_frames())}""",
    ),
    "user": ("import os", "return [os.getresuid(), os.getresgid(), os.getgroups()]"),
    "files": (
        "import os",
        f"""def is_seen(place):
        try:
            return bool(os.listdir(place) if os.path.isdir(place) else open(place))
        except OSError:
            return False

    return is_seen("/proc"), [place for place in {PRIVATE} if is_seen(place)]""",
    ),
    "starting": (
        "import os, subprocess, sys",
        """def outcome(act):
        try:
            return str(act())
        except OSError as error:
            return type(error).__name__

    return [outcome(os.fork), outcome(lambda: subprocess.run([sys.executable, "-c", ""])), os.system("true") == 0]""",
    ),
    "session": ("import os", "return [os.getpid(), os.getpgrp(), os.getsid(0), os.getppid()]"),
    "limits": (
        "import resource",
        """names = ("AS", "CPU", "CORE", "FSIZE", "NOFILE")
    return {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names}""",
    ),
    "raising_limits": (
        "import resource",
        """raised = []
    for name in ("AS", "CPU", "CORE", "FSIZE", "NOFILE"):
        which = getattr(resource, "RLIMIT_" + name)
        soft, hard = resource.getrlimit(which)
        try:
            resource.setrlimit(which, (hard + 1, hard))
            raised.append(name)
        except ValueError:
            pass
    return raised""",
    ),
    "process_state": (
        "import ctypes",
        """libc, sign = ctypes.CDLL(None), ctypes.c_int()
    libc.prctl(2, ctypes.byref(sign))
    return {"dumpable": libc.prctl(3), "signal when the parent ends": sign.value}""",
    ),
    "arguments": ("import sys", "return sys.argv"),
    "names": ("", "return [__name__, __file__, sorted(name for name in globals() if not name.startswith('__'))]"),
}


@pytest.fixture(scope="module")
def cohort(repository, tmp_path_factory) -> Cohort:
    """One run: a submission for each look, and a correct one before and after them."""
    root = tmp_path_factory.mktemp("room")
    folder = root / "submissions"
    folder.mkdir()
    for name, (imports, look) in LOOKS.items():
        (folder / f"{name}.py").write_text(LOOKING.format(imports=imports, look=look))
    correct = (repository / "solutions" / "self-attention" / "accepted" / "no_bias.py").read_text()
    for name in ("a_correct", "z_correct"):
        (folder / f"{name}.py").write_text(f"{correct}\n# {name}\n")
    request = grading.Request(
        paths=(folder,),
        assignments=repository / "assignments",
        solutions=repository / "solutions",
        store=root / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
        only_assignments=("self-attention",),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CANARY, "canary")
        patch.setattr(tempfile, "tempdir", str(root))
        return grading.run(request, Silent())


@pytest.fixture(scope="module")
def found(cohort):
    """What the submission of this name found, as it told in its exception."""

    def tell(name: str) -> Any:
        [result] = [each.result for each in grade(cohort, name).checks if each.result.outcome is Outcome.ERRORED]
        message = result.message
        assert message.startswith("Calling the module raised LookupError: "), message
        return json.loads(message.removeprefix("Calling the module raised LookupError: "))

    return tell


def grade(cohort: Cohort, student: str) -> Grade:
    [grade] = [grade for grade in cohort.grades if grade.student == student]
    return grade


@pytest.mark.parametrize("student", ["a_correct", "z_correct"])
def test_a_correct_submission_in_the_same_run_earns_full_marks(cohort, student):
    assert grade(cohort, student).points == grade(cohort, student).max_points == 20


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_was_loaded_whole_and_told(cohort, found, look):
    assert grade(cohort, look).attempt.loading is Loading.EXECUTED
    assert found(look) is not None


def test_the_level_is_what_the_report_says(cohort):
    assert cohort.isolation.level is (IsolationLevel.SEALED if OWN_ROOT else IsolationLevel.CONFINED)
    assert bool(cohort.isolation.missing) is not OWN_ROOT


def test_nothing_of_the_environment_of_the_command_is_there(found):
    ours = set(os.environ) - {"LANG", "HOME", "OMP_NUM_THREADS"}
    harmless = {
        "HOME",
        "LANG",
        "LC_CTYPE",
        "MKL_NUM_THREADS",
        "MPLBACKEND",
        "MPLCONFIGDIR",
        "OMP_NUM_THREADS",
        "TMPDIR",
        *("IPYTHONDIR", "PAGER", "GIT_PAGER"),
        *("PIP_NO_INDEX", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INPUT"),
        *(name for proxy in ("http", "https", "ftp", "all") for name in (f"{proxy}_proxy", f"{proxy}_PROXY".upper())),
    }
    libraries = {name for name in found("environment") if re.match(r"KINETO_|KMP_|TORCH|PYTORCH", name)}

    assert CANARY not in found("environment")
    assert set(found("environment")) - libraries <= harmless
    assert not (set(found("environment")) & ours) - libraries - harmless


def test_neither_the_process_nor_its_parent_was_started_with_the_environment_of_the_command(found):
    looked, places = found("canaries")

    assert looked
    assert places == []


def test_no_module_of_the_examiner_or_of_pytest_is_loaded(found):
    ours, others = found("modules")
    modules = {"grader", *(f"grader.{name}" for name in ours)}

    assert others == []
    assert not {
        name for name in modules if re.match(r"grader\.(checks|examiner|attention|executors|store|model)", name)
    }
    assert modules <= {
        *("grader", "grader.errors", "grader.forkserver", "grader.leaves", "grader.serving", "grader.tensors"),
        "grader.tracing",
        *("grader.wire.bundle", "grader.wire.connection", "grader.wire.messages", "grader.wire.values"),
        *("grader.walls", "grader.wire", "grader.worker"),
    }


def test_the_only_open_descriptors_are_the_standard_streams_and_one_socket(found):
    kinds, silent = found("descriptors")

    assert sorted(kinds.values()) == ["device", "device", "device", "socket"]
    assert {"0", "1", "2"} <= kinds.keys()
    assert silent


def test_the_socket_leads_to_one_unnamed_peer_and_nowhere_else(found):
    assert found("socket") == [True, True, "", ""]


def test_the_working_directory_is_an_empty_one_of_its_own(found, repository):
    entries, mode, own, is_home, path = found("directory")

    assert entries == []
    assert mode == "0o700"
    assert own
    assert is_home
    assert not Path(path).is_relative_to(repository)
    assert not Path(path).exists()


def test_no_program_can_give_it_new_privileges(found):
    assert found("privileges")["no new"] == 1


def test_it_starts_with_one_thread(found):
    assert found("privileges")["threads"] == 1


def test_it_leads_a_session_and_a_process_group_of_its_own(found):
    pid, group, session, parent = found("session")

    assert pid == group == session
    assert parent not in (os.getpid(), 1)
    if OWN_ROOT:  # the first process of its own world, in which it has no parent
        assert (pid, parent) == (1, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have workers be somebody else")
def test_it_is_a_user_that_nobody_is_and_in_no_other_group(found):
    users, groups, others = found("user")

    assert len({*users, *groups}) == 1
    assert users[0] >= 1000
    assert others == []


def test_no_file_of_the_course_of_the_grader_or_of_anybody_s_home_is_to_be_seen(found):
    processes, seen = found("files")

    assert len(PRIVATE) > 5
    assert seen == []
    assert not (processes and OWN_ROOT)


def test_it_can_neither_fork_nor_start_a_program(found):
    assert found("starting") == ["PermissionError", "PermissionError", False]


def test_memory_time_files_and_descriptors_are_limited(found):
    limits = found("limits")

    assert limits["AS"] == [Limits().memory] * 2
    assert limits["CPU"] == [int(Limits().seconds) + 5] * 2
    assert limits["FSIZE"] == [64 << 20] * 2
    assert limits["NOFILE"] == [128] * 2


def test_no_limit_can_be_raised(found):
    assert found("raising_limits") == []


def test_it_cannot_dump_core(found):
    assert found("limits")["CORE"] == [0, 0]
    assert found("process_state")["dumpable"] == 0


def test_it_ends_when_its_parent_ends(found):
    assert found("process_state")["signal when the parent ends"] == 9


def test_its_arguments_are_its_own_file(found):
    assert found("arguments") == ["arguments.py"]


def test_its_names_are_its_own(found):
    name, file, names = found("names")

    assert (name, file) == ("names", "names.py")
    assert names == ["SelfAttention", "json", "look", "nn", "torch"]
