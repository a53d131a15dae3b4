"""Notebooks that go wrong, or mean harm, in a cell beside a class that is correct.

Each is three cells: a first one, the class, and a last one. A case names the cell that does the harm and by which ways
the class may have been loaded; it is correct, so it earns full marks unless the case says otherwise. All cases are
graded in one run, with harmless notebooks at its front, in its middle and at its end.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Attempt, Cohort, Grade, Loading, Outcome
from grader.worker import namespaces

from ..patience import times_longer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

REPOSITORY = Path(__file__).resolve().parents[2]
CLASS = (REPOSITORY / "solutions" / "self-attention" / "accepted" / "no_bias.py").read_text(encoding="utf-8")
LIMITS = {
    "seconds": "20",
    "check_seconds": "5",
    "import_seconds": "5",
    "cell_seconds": "2",
    "notebook_seconds": "8",
    "memory": '"3 GiB"',
}
MARK = "attention-notebooks-"
"""What the processes that notebooks leave behind are called."""

EXECUTED, PARTLY, RESCUED = Loading.EXECUTED, Loading.PARTLY, Loading.DEFINITIONS
OWN_ROOT = sys.platform == "linux" and namespaces.possible().kind is not namespaces.Kind.NONE
UNREACHED = EXECUTED if OWN_ROOT else RESCUED
"""What becomes of a notebook that signals its parent: the first process of a namespace does not feel it."""
CHILD = """
import os, time
if os.fork() == 0:
    time.sleep(600)
    os._exit(0)
print("left a process")
"""
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()
print("left a process")
"""
PROGRAM = """
import subprocess
subprocess.Popen(["attention-notebooks-left", "600"], executable="/bin/sleep", start_new_session=True)
print("left a process")
"""

DEAF_TO = """
while True:
    try:
        while True:
            {body}
    except BaseException:
        pass
"""


@dataclass(frozen=True)
class Case:
    """What stands before and below the class, and how it may be loaded then."""

    ways: tuple[Loading, ...]
    before: str = ""
    below: str = ""


def harmful(source: str, *ways: Loading) -> Case:
    """Harm done below the class."""
    return Case(ways=ways or (RESCUED,), below=source)


def early(source: str, *ways: Loading) -> Case:
    """Harm done above the class."""
    return Case(ways=ways or (RESCUED,), before=source)


CORRECT = ("a_correct", "m_correct", "z_correct")
CASES = {
    "a_correct": harmful("print(SelfAttention(4)(torch.ones(1, 2, 4)).shape)", EXECUTED),
    # processes
    "kills_its_parent": harmful("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", UNREACHED),
    "kills_its_process_group": harmful("import os, signal\nos.killpg(0, signal.SIGKILL)", PARTLY),
    "kills_everybody": harmful("import os, signal\nos.kill(-1, signal.SIGKILL)", PARTLY),
    "kills_itself": early("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    "terminates_its_parent": harmful(
        "import os, signal\nos.kill(os.getppid(), signal.SIGTERM)", EXECUTED, PARTLY, RESCUED
    ),
    "stops_itself": early("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    "stops_its_parent": early("import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)", UNREACHED),
    "crashes": early("import ctypes\nctypes.string_at(0)"),
    "forks_often": harmful(
        "import os, time\nfor _ in range(60):\n    if os.fork() == 0:\n        time.sleep(600)\n        os._exit(0)",
        EXECUTED,
        PARTLY,  # on a busy machine
    ),
    "forks_and_goes_on_twice": harmful("import os\nos.fork()", EXECUTED, PARTLY, RESCUED),
    "leaves_a_child": harmful(CHILD, EXECUTED),
    "leaves_a_daemon": harmful(DAEMON, EXECUTED),
    "leaves_a_program": harmful(PROGRAM, PARTLY),
    "leaves_a_daemon_and_dies": harmful(f"{DAEMON}\nos.kill(os.getpid(), 9)"),
    "begins_a_session": early(
        "import os\ntry:\n    os.setsid()\nexcept OSError:\n    os.setpgid(0, 0)", EXECUTED, PARTLY
    ),
    "starts_threads": early(
        "import threading, time\nfor _ in range(10):\n"
        "    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        EXECUTED,
    ),
    "never_ends_its_threads": harmful(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()", EXECUTED
    ),
    # budgets
    "never_ends": harmful("while True:\n    pass", PARTLY),
    "never_ends_and_is_deaf": early(DEAF_TO.format(body="pass")),
    "floods_and_is_deaf": early(DEAF_TO.format(body="print('a' * 100_000)")),
    "prints_200_megabytes": early("for _ in range(200):\n    print('a' * 1_000_000)", EXECUTED, PARTLY, RESCUED),
    "takes_all_memory_for_a_moment": early(
        "held = []\nwhile True:\n    held.append(bytearray(64 << 20))\n", PARTLY, RESCUED
    ),
    "asks_for_memory_once": early("x = bytearray(1 << 40)", PARTLY),
    "recurses": early("def f():\n    return f()\n\nf()", PARTLY),
    "raises_the_recursion_limit": early(
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n):\n    return f(n + 1)\n\nf(0)", PARTLY, RESCUED
    ),
    "m_correct": harmful("print(SelfAttention(4))", EXECUTED),
    # files
    "deletes_its_home": early("import os, shutil\nshutil.rmtree(os.environ['HOME'])", EXECUTED, PARTLY, RESCUED),
    "goes_elsewhere": early("import os\nos.chdir('/')", EXECUTED),
    "closes_its_files": early("import os\nos.closerange(0, 4096)"),
    "fills_its_disk": early(
        "with open('large', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))", PARTLY, RESCUED
    ),
    "prints_to_nowhere": early("import sys\nsys.stdout = sys.stderr = None", EXECUTED, RESCUED),
    # the kernel
    "patches_the_shell": harmful("get_ipython().run_cell = get_ipython().run_cell_async = None", EXECUTED, RESCUED),
    "patches_the_kernel": early("get_ipython().kernel.do_execute = lambda *_, **__: None"),
    "closes_the_kernel_s_sockets": early("get_ipython().kernel.shell_stream.close()"),
    "catches_all_exceptions": early(
        "get_ipython().set_custom_exc((BaseException,), lambda *_: None)\n1 / 0", EXECUTED, PARTLY
    ),
    "takes_ipython_s_names": early("In = Out = get_ipython = exit = quit = _ = None", EXECUTED),
    "claims_to_be_idle": early(
        "kernel = get_ipython().kernel\nkernel.session.send(kernel.iopub_socket, 'status', {'execution_state': 'idle'},"
        " parent=kernel.get_parent('shell'))",
        EXECUTED,
    ),
    "sends_nonsense": early(
        "kernel = get_ipython().kernel\nkernel.session.send(kernel.iopub_socket, 'status', {},"
        " parent=kernel.get_parent('shell'))",
        EXECUTED,
        RESCUED,
    ),
    "clears_its_names": harmful("%reset -f"),
    "clears_all_modules": harmful("import sys\nsys.modules.clear()", EXECUTED, RESCUED),
    "patches_what_answers": harmful(
        "import json, msgspec, socket, os\n"
        "json.dumps = json.loads = msgspec.msgpack.encode = socket.socket = os.fork = None",
        EXECUTED,
        RESCUED,
    ),
    # Python
    "takes_isinstance_away": harmful("import builtins\nbuiltins.isinstance = lambda *_: True", EXECUTED, RESCUED),
    "takes_type_away": harmful("import builtins\nbuiltins.type = None", EXECUTED, RESCUED),
    "shadows_builtins": harmful("list = dict = len = isinstance = type = super = print = 5", EXECUTED, RESCUED),
    "plays_with_the_collector": early(
        "import gc\ngc.set_threshold(1)\ngc.callbacks.append(lambda *_: 1 / 0)", EXECUTED, PARTLY, RESCUED
    ),
    "traces_everything": early("import sys\nsys.settrace(lambda *_: None)\nsys.setprofile(lambda *_: None)", EXECUTED),
    "handles_signals": early(
        "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nsignal.alarm(1)",
        EXECUTED,
    ),
    "takes_signals_away": harmful("import signal\nsignal.signal = signal.setitimer = None", EXECUTED, RESCUED),
    "warns_as_errors": early("import warnings\nwarnings.simplefilter('error')", EXECUTED),
    "raises_numpy_s_errors": early("import numpy as np\nnp.seterr(all='raise')", EXECUTED),
    # torch
    "sets_the_default_dtype": early("import torch\ntorch.set_default_dtype(torch.float64)", EXECUTED),
    "sets_the_default_device": early("import torch\ntorch.set_default_device('meta')", EXECUTED, RESCUED),
    "switches_gradients_off": harmful("torch.set_grad_enabled(False)", EXECUTED),
    "begins_inference_mode": harmful("mode = torch.inference_mode()\nmode.__enter__()", EXECUTED, RESCUED),
    "looks_for_anomalies": early("import torch\ntorch.autograd.set_detect_anomaly(True)", EXECUTED),
    "uses_many_threads": early(
        "import torch\ntorch.set_num_threads(8)\ntorch.randn(900, 900) @ torch.randn(900, 900)", EXECUTED
    ),
    "logs_every_call": harmful(
        "calls, plain = [], nn.Module.__call__\n"
        "def call(self, *args, **kwargs):\n    calls.append(type(self).__name__)\n"
        "    return plain(self, *args, **kwargs)\n\nnn.Module.__call__ = call",
        EXECUTED,
    ),
    "takes_seeding_away": harmful("import random\nrandom.seed = torch.manual_seed = None", EXECUTED, RESCUED),
    "z_correct": harmful("x = 1", EXECUTED),
}


@dataclass(frozen=True)
class Run:
    """The one run, and what was to be seen of it from outside."""

    cohort: Cohort
    attempts: dict[str, Attempt]
    seconds: float
    processes: tuple[str, ...]
    files_left: tuple[str, ...]

    def grade(self, student: str) -> Grade:
        [grade] = [grade for grade in self.cohort.grades if grade.student == student]
        return grade


class Keeping(Silent):
    """Watches a run and keeps its attempts."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: dict[str, Attempt] = {}

    def finished(self, attempt: Attempt) -> None:
        super().finished(attempt)
        self.attempts[attempt.student] = attempt


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All cases, graded together with a temporary directory of their own."""
    root = tmp_path_factory.mktemp("notebooks")
    temporary, submissions = root / "temporary", root / "submissions"
    temporary.mkdir()
    submissions.mkdir()
    for name, case in CASES.items():
        cells = [nbformat.v4.new_code_cell(cell) for cell in (case.before, f"{CLASS}\n# {name}", case.below)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), submissions / f"{name}.ipynb")
    request = grading.Request(
        paths=(submissions,),
        assignments=hurried(root / "assignments"),
        solutions=REPOSITORY / "solutions",
        store=root / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
        only_assignments=("self-attention",),
    )
    observer = Keeping()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setattr("grader.executors.rooms.SHORT_PLACES", ())  # there and nowhere else
        began = time.monotonic()
        cohort = grading.run(request, observer)
        yield Run(
            cohort=cohort,
            attempts=observer.attempts,
            seconds=time.monotonic() - began,
            processes=tuple(processes(str(root), MARK)),
            files_left=tuple(str(path) for path in temporary.rglob("*")),
        )


def hurried(target: Path) -> Path:
    """A copy of the assignments whose limits do not let a suite wait."""
    shutil.copytree(REPOSITORY / "assignments", target)
    settings = target / "self-attention" / "assignment.toml"
    text = settings.read_text()
    for key, value in LIMITS.items():
        text, count = re.subn(rf"(?m)^{key} = [^#\n]*", f"{key} = {value} ", text)
        assert count == 1
    settings.write_text(text)
    return target


def processes(*marks: str) -> Iterator[str]:
    """Command lines of the living processes that have one of the marks in it, or their working directory below it."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                told = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                told = f"{told} in {os.readlink(folder / 'cwd')}"
            except OSError:
                continue
            if any(mark in told for mark in marks):
                yield told


def test_harmless_notebooks_stand_before_between_and_after_the_others():
    names = list(CASES)

    assert (names[0], names[-1]) == ("a_correct", "z_correct")
    assert set(CORRECT) <= set(names)
    assert len(names) > 40


@pytest.mark.parametrize("case", CORRECT)
def test_what_others_do_changes_nothing_for_a_harmless_notebook(run, case):
    attempt = run.attempts[case]

    assert attempt.loading is Loading.EXECUTED
    assert attempt.cells == ()
    assert {result.outcome for result in attempt.results} == {Outcome.PASSED}


@pytest.mark.parametrize("case", CASES)
def test_a_correct_class_earns_full_marks_whatever_the_other_cells_do(run, case):
    grade = run.grade(case)

    assert {check.spec.id: check.result.message for check in grade.checks if check.result.message} == {}
    assert grade.points == grade.max_points > 0


@pytest.mark.parametrize("case", CASES)
def test_as_much_of_the_notebook_is_run_as_can_be(run, case):
    attempt = run.attempts[case]

    assert attempt.loading in CASES[case].ways
    assert bool(attempt.loading_note) == (attempt.loading is not Loading.EXECUTED)


@pytest.mark.parametrize("case", CASES)
def test_no_notebook_makes_the_grader_fail(run, case):
    details = {result.check: result.detail for result in run.attempts[case].results if result.outcome == "internal"}

    assert details == {}


@pytest.mark.parametrize("case", CASES)
def test_what_is_kept_of_a_notebook_s_words_is_bounded_and_cannot_act(run, case):
    attempt = run.attempts[case]
    told = [attempt.loading_note, attempt.output, *(cell.error for cell in attempt.cells)]

    assert all(len(text) < 9000 and "\x1b" not in text for text in told)


def test_every_notebook_is_graded(run):
    assert {grade.student: str(grade.status) for grade in run.cohort.grades} == dict.fromkeys(CASES, "graded")


def test_no_notebook_takes_longer_than_its_budgets_allow(run):
    slowest = max(run.attempts.values(), key=lambda attempt: attempt.seconds)
    longer = times_longer([slowest.loading_note, *(cell.error for cell in slowest.cells)], 2, 5, 8)

    assert slowest.seconds < (8 + 12) * longer + (0 if OWN_ROOT else 20)
    assert OWN_ROOT or slowest.student == "stops_its_parent"  # the others are seen by who watches the cells
    assert run.seconds < 240


def test_notebooks_that_left_processes_behind_did_start_them(run):
    started = {name for name, attempt in run.attempts.items() if "left a process" in attempt.output}

    assert started == {"leaves_a_child", "leaves_a_daemon"}


def test_no_process_outlives_the_run(run):
    assert run.processes == ()


def test_no_file_is_left_in_the_temporary_directory(run):
    assert run.files_left == ()
