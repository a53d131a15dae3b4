"""A warm worker, and notebooks that are run by its children as the host has them run."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from grader import wire
from grader.executors.warm import Lease, WarmProcess, sealed
from grader.forkserver import Fate
from grader.worker import branching

QUIET = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "LANG": "C.UTF-8"}
FILE = "attention.ipynb"
MEMORY = 4 << 30
PATIENCE = 120.0


class Performed:
    """A notebook in the hands of a child of the worker.

    Attributes:
        lease: the child, which becomes nbclient and whose child is the kernel.
        executed: what came of the cells, once they were run.
        seconds: how long that took.
    """

    def __init__(
        self, lease: Lease, control: socket.socket, *, seconds: float, cell_seconds: float, message: bytes
    ) -> None:
        self.lease = lease
        self._control = control
        self._message = message
        self._question = wire.Execute(FILE, 7, cell_seconds, seconds)
        self._streams = contextlib.ExitStack()

    def begin(self) -> None:
        """Have the cells run for the first examiner."""
        began = time.monotonic()
        self.asker = self.examiner()
        self.executed = self.execute(self.asker)
        self.seconds = time.monotonic() - began

    def examiner(self) -> wire.Asker:
        """One more examiner's end of a stream."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [self._message], [theirs.fileno()])
        asker = wire.Asker(wire.Connection(ours, wire.Reply, peer="worker"))
        self._streams.callback(asker.close)
        return asker

    def execute(self, asker: wire.Asker) -> wire.Executed:
        """Ask for the notebook's cells to be run, which is done once."""
        executed = asker.ask(self._question, deadline=time.monotonic() + PATIENCE)
        assert isinstance(executed, wire.Executed)
        return executed

    def open(self, asker: wire.Asker, target: str) -> wire.Reply:
        """Ask for the class that the notebook left behind."""
        question = wire.Open(FILE, target, definitions_only=False, seed=7, seconds=5.0)
        return asker.ask(question, deadline=time.monotonic() + PATIENCE)

    def end(self) -> Fate:
        """Have the last examiner's process ended."""
        self._control.settimeout(PATIENCE)
        self._control.send(branching.END)
        return msgspec.json.decode(self._control.recv(4096), type=Fate)

    def close(self) -> None:
        """Hang up everywhere."""
        self._streams.close()
        self._control.close()


Perform = Callable[..., Performed]


@pytest.fixture(scope="session")
def warm_worker() -> Iterator[WarmProcess]:
    """The real worker process: starting it takes as long as importing torch."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = os.path.realpath(folder)
        os.chmod(scratch, 0o711)  # children are other users
        process = WarmProcess("worker", environment=QUIET, arguments=[scratch, str(MEMORY)])
        try:
            process.wait()
            yield process
        finally:
            process.close()


@pytest.fixture
def perform(warm_worker: WarmProcess, tmp_path: Path) -> Iterator[Perform]:
    """Runs cells, numbered from 1, and ends whoever is still there after the test."""
    with contextlib.ExitStack() as after:

        def run(
            *cells: str, seconds: float = 20.0, cell_seconds: float = 10.0, message: bytes = branching.SERVE
        ) -> Performed:
            home = tempfile.mkdtemp(dir=tmp_path)
            order = {"memory": MEMORY, "cpu_seconds": 30, "home": home, "branching": True}
            code = tuple(wire.CodeCell(number, source, source) for number, source in enumerate(cells, 1))
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            after.callback(control.close)
            with theirs, sealed(wire.pack({FILE: wire.File(b"", code)})) as bundle:
                lease = warm_worker.spawn(msgspec.json.encode(order), [theirs.fileno(), bundle])
            after.callback(end_once, lease)
            performed = Performed(lease, control, seconds=seconds, cell_seconds=cell_seconds, message=message)
            after.callback(performed.close)
            performed.begin()
            return performed

        yield run


def end_once(lease: Lease) -> None:
    """End a child unless the test has done so."""
    with contextlib.suppress(OSError, ValueError):
        lease.end()


class Badge:
    """What processes inside the walls call themselves, so that they can be told from outside.

    Inside, a process has another number than outside; its name is the same.

    Attributes:
        source: a line for the code that runs inside: whoever runs it, and the forks it makes later, have the name.
    """

    def __init__(self) -> None:
        self._name = f"t-{secrets.token_hex(6)}"  # no longer than the 15 bytes that the kernel keeps
        self.source = f"import ctypes; ctypes.CDLL(None).prctl(15, b'{self._name}', 0, 0, 0)"  # PR_SET_NAME

    def bearers(self) -> list[int]:
        """The living processes of that name."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    name, _, state = (entry / "stat").read_text().partition("(")[2].rpartition(") ")
                except OSError:
                    continue
                if name == self._name and state[0] not in "ZX":
                    found.append(int(entry.name))
        return found


@pytest.fixture
def badge() -> Badge:
    """A name that no other process has."""
    return Badge()
