from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path

import pytest

from grader import wire
from grader.worker.commands import INTERPRETERS, NO_COMMAND, NO_INSTALL
from grader.worker.kernel import NO_DEBUGGER
from grader.worker.offline import NO_INPUT
from grader.worker.output import OUTPUT_CAP

from ..patience import promptly

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

A_CLASS = "class Kept:\n    def __init__(self):\n        self.value = 5"


def outcomes(executed: wire.Executed) -> dict[int, str]:
    return {report.cell: report.outcome for report in executed.cells}


# -- what cells do -----------------------------------------------------------------------------------------------------


def test_cells_share_names_and_what_they_print_is_kept_in_order(perform):
    executed = perform("x = 2\nprint('first')", "print(x + 1)").executed

    assert executed == wire.Executed(cells=(), alive=True, output="first\n3\n")


def test_an_empty_cell_counts_and_does_nothing(perform):
    executed = perform("", "   \n", "1 / 0").executed

    assert outcomes(executed) == {3: "raised"}


def test_a_failing_cell_does_not_stop_the_others(perform):
    executed = perform("1 / 0", "print('goes on')", "undefined").executed

    assert [(report.cell, report.type) for report in executed.cells] == [(1, "ZeroDivisionError"), (3, "NameError")]
    assert executed.output == "goes on\n"


def test_magics_work(perform):
    executed = perform("%time x = 1", "%%capture kept\nprint('hidden')", "print(kept.stdout, x)", "%matplotlib inline")

    assert executed.executed.cells == ()
    assert "hidden\n 1" in executed.executed.output


def test_displayed_values_and_plots_are_no_output(perform):
    executed = perform("'a value'", "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()").executed

    assert executed == wire.Executed(cells=(), alive=True, output="")


# -- tracebacks --------------------------------------------------------------------------------------------------------


def test_a_traceback_holds_the_student_s_own_lines_with_their_cells(perform):
    executed = perform(
        "import torch\n\ndef apply(f):\n    return f(torch.ones(2, 3))",
        "x = 1",
        "def project(x):\n    return torch.nn.Linear(4, 4)(x)\n\napply(project)",
    ).executed
    [report] = executed.cells

    assert report.type == "RuntimeError"
    assert report.frames == (
        wire.Frame("attention.ipynb", 4, "<module>", "apply(project)", 3),
        wire.Frame("attention.ipynb", 4, "apply", "return f(torch.ones(2, 3))", 1),
        wire.Frame("attention.ipynb", 2, "project", "return torch.nn.Linear(4, 4)(x)", 3),
    )


def test_cells_with_the_same_text_are_told_apart(perform):
    executed = perform("x = [3]", "x.pop()", "x.pop()", "x.pop()").executed

    assert [(report.cell, report.frames[0].cell) for report in executed.cells] == [(3, 3), (4, 4)]


def test_a_syntax_error_names_its_line(perform):
    [report] = perform("x = 1\ny = = 2").executed.cells

    assert (report.type, report.frames) == ("SyntaxError", (wire.Frame("attention.ipynb", 2, "", "y = = 2", 1),))


def test_a_deep_recursion_is_reported_at_once_with_a_bounded_number_of_lines(perform):
    performed = promptly(lambda: perform("def f(n):\n    return f(n + 1)\n\nf(0)"), within=2.0)
    [report] = performed.executed.cells

    assert report.type == "RecursionError"
    assert 1 < len(report.frames) <= 20
    assert performed.seconds < 2


# -- ending the notebook -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["exit()", "quit()", "exit", "exit(1)"])
def test_leaving_the_notebook_in_a_cell_ends_nothing(perform, ending):
    executed = perform(ending, "print('goes on')").executed

    assert executed == wire.Executed(cells=(), alive=True, output="goes on\n")


@pytest.mark.parametrize("ending", ["raise SystemExit", "import sys\nsys.exit(2)"])
def test_the_exception_that_ends_programs_ends_its_cell_alone(perform, ending):
    executed = perform(ending, "print('goes on')").executed

    assert [(report.cell, report.type) for report in executed.cells] == [(1, "SystemExit")]
    assert executed.alive
    assert executed.output.endswith("goes on\n")


def test_an_exception_that_cannot_say_what_it_is_does_not_end_the_notebook(perform):
    source = "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\n\nraise Mute"
    executed = perform(source, "print('goes on')", cell_seconds=1.0).executed

    assert [(report.type, report.message) for report in executed.cells] == [("Mute", "")]
    assert executed.output == "goes on\n"


def test_half_of_a_surrogate_pair_ends_nothing_wherever_it_turns_up(perform):
    cells = ("print('\\ud800 printed')", "'\\ud800 shown'", "raise ValueError('\\udfff raised')", "print('goes on')")
    executed = perform(*cells, cell_seconds=1.0).executed

    assert [(report.type, report.message) for report in executed.cells] == [("ValueError", "? raised")]
    assert executed.output == "? printed\ngoes on\n"


@pytest.mark.parametrize("value", ["10 ** 40", "float('nan')", "{1: b'x', 'two': object()}", "[[1e308 * 10]]"])
def test_values_that_json_has_no_words_for_can_be_shown_and_displayed(perform, value):
    executed = perform(f"value = {value}\nvalue", "display(value)", "print('goes on')", cell_seconds=1.0).executed

    assert executed.alive
    assert executed.cells == ()
    assert "goes on" in executed.output


@pytest.mark.parametrize(
    "line",
    [
        "sys.stdout = sys.stderr = None",
        "del sys.stdout, sys.stderr",
        "sys.stdout = 5",
        "sys.stdout = None\n1 / 0",
        "get_ipython().user_expressions = None",
    ],
)
def test_a_cell_that_breaks_what_ipykernel_needs_does_not_end_the_notebook(perform, line):
    performed = promptly(
        lambda: perform(f"import sys\n{line}", "print('goes on')", "1 / 0", cell_seconds=18.0), within=2.0
    )

    assert outcomes(performed.executed)[3] == "raised"
    assert 2 not in outcomes(performed.executed)
    assert (1 in outcomes(performed.executed)) == ("1 / 0" in line or "del" in line)
    assert performed.executed.output == "goes on\n"
    assert performed.seconds < 2


def test_output_that_a_cell_redirects_stays_where_it_goes(perform):
    executed = perform(
        "import io, sys\nsys.stdout = kept = io.StringIO()", "print('kept')", "sys.stdout = sys.__stdout__"
    )

    assert executed.executed.output == ""
    assert executed.executed.cells == ()


def test_a_module_that_a_cell_writes_can_be_imported_by_the_next_but_replaces_no_library(perform):
    executed = perform(
        "%%writefile own_layers.py\nWIDTH = 8",
        "%%writefile json.py\nraise ValueError('not the library')",
        "import json\nfrom own_layers import WIDTH\nprint(WIDTH, json.dumps([1]))",
    ).executed

    assert executed.cells == ()
    assert executed.output.endswith("8 [1]\n")


def test_a_cell_may_await_something(perform):
    executed = perform("import asyncio\nawait asyncio.sleep(0)", "print('goes on')", cell_seconds=1.0).executed

    assert executed == wire.Executed(cells=(), alive=True, output="goes on\n")


@pytest.mark.parametrize(
    "line",
    [
        "import sys\n!{sys.executable} -m pip install torchattention",
        "!cd .. && pip install torchattention",
        "!true; pip3 install torchattention",
        "name = 'torchattention'\n!pip install -q {name} 2>&1 | tail -1",
        "command = 'pip install torchattention'\n!{command}",
        "said = !pip install torchattention",
        "!!pip install torchattention",
        "def install(name):\n    !pip install $name\ninstall('torchattention')",
    ],
)
def test_installing_packages_is_not_tried_however_it_is_put(perform, line):
    executed = perform(line).executed

    assert executed.cells == ()
    assert executed.output == NO_INSTALL


def test_nothing_of_a_command_that_also_installs_something_is_run(perform):
    executed = perform(
        "!mkdir data && pip install -q torchattention > log 2>&1; cd data && pwd",
        "import os\nprint([name for name in os.listdir() if name in ('data', 'log')])",
    ).executed

    assert executed == wire.Executed(cells=(), alive=True, output=f"{NO_INSTALL}[]\n")


@pytest.mark.parametrize("manager", ["conda", "mamba", "micromamba", "uv pip"])
def test_installing_packages_with_another_manager_s_magic_is_no_failure(perform, manager):
    executed = perform(f"%{manager} install torchattention").executed

    assert executed.cells == ()
    assert executed.output == NO_INSTALL


# -- what cannot be had ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "!pip install torchattention",
        "!pip3 install -q torchattention",
        "  !pip install --upgrade pip",
        "%pip install torchattention",
        "pip install torchattention",
        "!python -m pip install torchattention",
        "!python3.11 -m pip install torchattention",
        "!sudo apt-get -y install graphviz",
        "!conda install torchattention",
    ],
)
def test_installing_packages_is_not_tried_and_said_so(perform, line):
    performed = perform(line, "print('goes on')")

    assert performed.executed.cells == ()
    assert NO_INSTALL in performed.executed.output
    assert performed.executed.output.endswith("goes on\n")
    assert "ERROR" not in performed.executed.output


@pytest.mark.parametrize(
    "cell",
    [
        "!ls",
        "!pip list",
        "ls -l",
        "%system ls",
        "!!ls",
        "!sleep 600 &",
        "!cat",
        "%sx ls",
        "x = %sx ls",
        "def f():\n    !ls\nf()",
    ],
)
def test_no_other_command_is_run_and_that_is_said(perform, cell):
    executed = perform(cell, "print('goes on')").executed

    assert executed.cells == ()
    assert executed.output.startswith(NO_COMMAND)
    assert executed.output.endswith("goes on\n")


@pytest.mark.parametrize("name", [*INTERPRETERS, "script bash", "python3 -u", "bash -s arg"])
def test_no_cell_is_given_to_another_program(perform, name):
    executed = perform(f"%%{name}\ntouch ran", "import os\nprint(os.path.exists('ran'))").executed

    assert executed.cells == ()
    assert executed.output.startswith(NO_COMMAND)
    assert executed.output.endswith("False\n")


def test_a_cell_that_installs_with_another_program_is_told_that_nothing_is_missing(perform):
    assert perform("%%bash\npip install torchattention").executed.output == NO_INSTALL


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("lines = !ls", "[]"),
        ("lines = !!ls", "[]"),
        ("lines = get_ipython().getoutput('ls')", "[]"),
        ("lines = %sx ls", "[]"),
        ("!false\nlines = _exit_code", "0"),
    ],
)
def test_a_command_that_is_not_run_says_nothing_and_succeeds(perform, cell, found):
    executed = perform(cell, "print(lines)").executed

    assert executed == wire.Executed(cells=(), alive=True, output=f"{NO_COMMAND}{found}\n")


@pytest.mark.parametrize(
    "call",
    [
        "subprocess.run(['true'])",
        "subprocess.run('true', shell=True)",
        "subprocess.check_output([sys.executable, '-c', ''])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
    ],
)
def test_no_program_is_started_in_any_other_way(perform, call):
    [report] = perform(f"import os, subprocess, sys\n{call}").executed.cells

    assert (report.outcome, report.type) in (("raised", "PermissionError"), ("raised", "FileNotFoundError"))


def test_the_system_call_for_commands_reports_failure(perform):
    executed = perform("import os\nprint(os.system('true') != 0)").executed

    assert executed == wire.Executed(cells=(), alive=True, output="True\n")


@pytest.mark.parametrize("line", ["input('Your name: ')", "import builtins\nbuiltins.input()", "raw = input"])
def test_asking_for_input_says_that_nobody_can_type(perform, line):
    executed = perform(line, "raw('again')" if line.startswith("raw") else "input()").executed

    assert {(report.type, report.message) for report in executed.cells} == {("EOFError", NO_INPUT)}


def test_asking_for_a_password_fails_at_once(perform):
    [report] = perform("import getpass\ngetpass.getpass()").executed.cells

    assert report.type == "EOFError"
    assert "nobody is there to type" in report.message


@pytest.mark.parametrize(
    "line",
    ["%debug", "breakpoint()", "import pdb\npdb.set_trace()", "import sys\nsys.stdin.read()", "%pdb on"],
)
def test_what_waits_for_a_person_elsewhere_does_not_wait_here(perform, line):
    performed = promptly(lambda: perform("1 / 0", line, "print('goes on')"), within=5.0)

    assert performed.seconds < 5
    assert performed.executed.alive
    assert performed.executed.output.endswith("goes on\n")


@pytest.mark.parametrize(
    "line",
    [
        "%debug",
        "%debug print(1)",
        "%%debug\nprint(1)",
        "%pdb on",
        "breakpoint()",
        "import pdb\npdb.set_trace()",
        "import pdb\npdb.pm()",
    ],
)
def test_there_is_no_debugger_and_that_is_said(perform, line):
    executed = perform("1 / 0", line).executed

    assert outcomes(executed) == {1: "raised"}
    assert executed.output == NO_DEBUGGER


def test_what_is_printed_is_cut_however_much_it_is(perform):
    performed = perform("print('a' * 20_000_000)", "print('b')")

    assert performed.executed == wire.Executed(cells=(), alive=True, output="a" * OUTPUT_CAP)


# -- cells that take the kernel apart ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "import os\nos.closerange(3, 4096)",
        "import os\nos.closerange(0, 4096)",
        "import json, msgspec\njson.dumps = msgspec.json.encode = None",
        "import zmq\nzmq.Socket.send = zmq.Socket.send_multipart = zmq.Socket.recv_multipart = None",
        "get_ipython().kernel.shell_stream.close()",
        "get_ipython().kernel.iopub_thread.socket.close()",
        "get_ipython().kernel.do_execute = None",
        "import time\nget_ipython().run_cell = get_ipython().run_cell_async = lambda *_, **__: time.sleep(100)",
        "import asyncio\nasyncio.get_event_loop().stop()",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
    ],
)
def test_a_kernel_that_can_no_longer_answer_is_given_up_within_the_budgets(perform, line):
    performed = promptly(lambda: perform(line, "print('goes on')", "x = 1", cell_seconds=1.0), within=5.0)

    assert not performed.executed.alive
    assert outcomes(performed.executed)[3] == "not-run"
    assert performed.seconds < 1 + 1 + 3


@pytest.mark.parametrize(
    "line",
    [
        "import os\nos.fork = lambda: 0",
        "del get_ipython",
        "In = Out = None",
        "import sys\nsys.displayhook = sys.excepthook = None",
        "get_ipython().set_custom_exc((Exception,), lambda *_: [])",
        "get_ipython().showtraceback = None",
        "import gc\ngc.disable()\ngc.set_threshold(1)",
        "import sys\nsys.setrecursionlimit(100_000)",
        "import os\nos.chdir('/')",
        "import warnings\nwarnings.simplefilter('error')",
    ],
)
def test_a_kernel_that_is_merely_odd_keeps_what_its_cells_define(perform, line):
    performed = perform(line, A_CLASS)

    assert performed.executed.alive
    assert isinstance(performed.open(performed.asker, "Kept"), wire.Opened)


def test_a_cell_that_claims_to_be_done_is_still_stopped_and_the_others_run(perform):
    claim = (
        "kernel = get_ipython().kernel\n"
        "kernel.session.send(kernel.iopub_socket, 'status', {'execution_state': 'idle'},"
        " parent=kernel.get_parent('shell'))\n"
    )
    performed = promptly(
        lambda: perform(f"{claim}while True:\n    pass", "print('goes on')", cell_seconds=1.0), within=4.0
    )

    assert outcomes(performed.executed) == {1: "interrupted"}
    assert performed.executed.output == "goes on\n"
    assert performed.seconds < 4


# -- what a fork finds -------------------------------------------------------------------------------------------------


def test_threads_that_cells_started_do_not_disturb_who_is_asked_about_the_class(perform):
    performed = perform(
        "import threading, time\n\ndef tick():\n"
        "    while True:\n        print('tick', end='')\n        time.sleep(0.001)\n",
        "for _ in range(8):\n    threading.Thread(target=tick, daemon=True).start()",
        A_CLASS,
    )

    assert isinstance(performed.open(performed.asker, "Kept"), wire.Opened)
    assert isinstance(performed.asker.ask(build(), deadline=soon()), wire.Built)


def test_a_thread_pool_that_a_cell_made_torch_start_does_not_hang_who_is_asked_about_the_class(perform):
    performed = perform(
        "import torch\ntorch.set_num_threads(4)\n(torch.randn(900, 900) @ torch.randn(900, 900)).sum()",
        "class Multiplies:\n"
        "    def __call__(self, x):\n"
        "        return float((torch.ones(900, 900) @ torch.ones(900, 900))[0, 0])",
    )
    performed.open(performed.asker, "Multiplies")
    performed.asker.ask(build(), deadline=soon())
    answer = performed.asker.ask(wire.Call(0, (1,), {}, echo=False, seconds=5.0), deadline=soon())

    assert answer == wire.Returned(900.0, ())


def build() -> wire.Build:
    return wire.Build(args=(), kwargs={}, dtype=None, values={}, seconds=5.0)


def soon() -> float:
    return time.monotonic() + 20


# -- the network -------------------------------------------------------------------------------------------------------


def test_neither_kernel_nor_client_has_a_socket_of_the_network(perform, badge):
    if os.getuid() != 0:
        pytest.skip("only root may look at the descriptors of a process that cannot be traced")
    performed = perform(badge.source)
    client, kernel = performed.lease.pid, min(badge.bearers())
    held = {
        pid: {found for link in links(pid) for found in re.findall(r"socket:\[(\d+)\]", link)}
        for pid in (client, kernel)
    }

    assert all(held.values())
    for pid, sockets in held.items():
        assert not sockets & (listed(pid) | listed(os.getpid()))


def listed(pid: int) -> set[str]:
    """The numbers of all sockets in a process's network."""
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6", "udp", "udp6")]
    return {line.split()[9] for table in tables if table.exists() for line in table.read_text().splitlines()[1:]}


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_cells_can_make_no_socket_at_all_once_the_kernel_is_connected(perform, family):
    [report] = perform(f"import socket\nsocket.socket(socket.{family}, socket.SOCK_DGRAM)").executed.cells

    assert report.outcome == "raised"
    assert report.type in ("PermissionError", "OSError", "ConnectionError")


def test_files_of_the_machine_are_not_there(perform):
    with tempfile.NamedTemporaryFile() as outside:
        executed = perform(f"import os\nprint(os.path.exists({outside.name!r}), os.path.exists('/proc/self'))").executed

    assert executed.output == "False False\n"


def links(pid: int) -> list[str]:
    return [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
