"""Runs a notebook's cells: nbclient, with a kernel that is there already and without the waits.

nbclient stays the one who executes: display, magics, interrupts and the end of each cell are its business. Replaced is
what waits by the clock. Starting is over when the kernel says that its sockets are bound and iopub that we listen;
its death is noticed through a descriptor instead of a poll every second; shutting down is a kill.

A cell past its budget is interrupted, and where that does not help, the kernel is killed. Outputs are read, cut to a
bounded text, and not kept. None of it is trusted: the kernel runs student code, which can publish what it likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import nbformat
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from nbclient.client import NotebookClient
from nbclient.exceptions import DeadKernelError
from traitlets import Type

from grader import wire
from grader.worker.kernel import IOPUB_PORT, SHELL_PORT, lighten
from grader.worker.output import BoundedText

GRACE: Final = 1.0
"""Seconds an interrupted cell has to stop."""
CELLS_CAP: Final = 300
FRAMES_CAP: Final = 20
READY_PATIENCE: Final = 8.0
"""Seconds for a kernel to bind its sockets; less than the examiner waits beyond a notebook's budget."""


class Provisioner(KernelProvisionerBase):
    """Stands for a kernel that was forked already, and whose sockets lie at `address`.

    Attributes:
        pid: the kernel's process, a child of this one.
        bound: the reading end of the pipe on which the kernel says that its sockets are bound.
    """

    def __init__(self, *, pid: int, bound: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pid = pid
        self._bound = bound
        self._ended: asyncio.Task[None] = asyncio.ensure_future(_readable(os.pidfd_open(pid)))
        self._launched = False
        self.status: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether it can be connected to, and is alive as far as is known."""
        return self._launched and self.status is None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Wait for the kernel's sockets."""
        bound = asyncio.ensure_future(_readable(self._bound))
        await asyncio.wait((bound, self._ended), return_when=asyncio.FIRST_COMPLETED)
        os.close(self._bound)
        self._launched = True
        return {}

    async def poll(self) -> int | None:
        """None while it lives, else how it ended, as `os.waitpid` tells it."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status

    async def wait(self) -> int | None:
        """Wait until it has ended."""
        await asyncio.shield(self._ended)  # who waits may be cancelled; others wait for the same
        return await self.poll()

    async def send_signal(self, signum: int) -> None:
        """Send it a signal."""
        if await self.poll() is None:
            os.kill(self.pid, signum)

    async def kill(self, restart: bool = False) -> None:
        """End it at once."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """End it at once."""
        await self.kill()

    async def cleanup(self, restart: bool = False) -> None:
        """Nothing is left to clean: its folder is not ours."""


UNREADABLE: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
"""What comes of taking apart a message that makes no sense."""


class _Channel(AsyncZMQSocketChannel):
    """Passes over what is not a message: the other end is student code."""

    async def _recv(self, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # as its parent, of its own
        while True:
            with contextlib.suppress(*UNREADABLE):
                message: dict[str, Any] = await super()._recv(**kwargs)
                message["parent_header"].get("msg_id")  # what nbclient asks of all
                return message


class _Client(AsyncKernelClient):
    """Two of five channels, and no waiting by the clock."""

    shell_channel_class = Type(_Channel)
    iopub_channel_class = Type(_Channel)

    def start_channels(self, *_: Any, **__: Any) -> None:
        """Cells and what they print; nobody types, and death is noticed otherwise."""
        super().start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel's publisher has seen us, so that no output is missed."""
        async with asyncio.timeout(timeout):
            while (await self.get_iopub_msg(timeout=timeout))["msg_type"] != "iopub_welcome":
                continue

    wait_for_ready = _async_wait_for_ready


class _Manager(AsyncKernelManager):
    """Manages the one kernel there is."""

    async def _async_start_kernel(self, **kw: Any) -> None:
        assert self.provisioner is not None
        await self.provisioner.launch_kernel([])
        if await self.provisioner.poll() is not None:
            raise DeadKernelError("it ended before its sockets were bound")

    start_kernel = _async_start_kernel

    async def _async_interrupt_kernel(self) -> None:
        assert self.provisioner is not None
        await self.provisioner.send_signal(signal.SIGINT)

    interrupt_kernel = _async_interrupt_kernel


class _Player(NotebookClient):
    """Executes cells, and notes those that do not run to their end.

    Attributes:
        printed: the beginning of what the cells printed.
        reports: what came of cells, by index; those that are fine have none.
    """

    def __init__(
        self,
        nb: nbformat.NotebookNode,
        km: _Manager,
        provisioner: Provisioner,
        *,
        seconds: float,
        cell_seconds: float,
    ) -> None:
        super().__init__(nb, km=km, timeout=None, allow_errors=True, startup_timeout=READY_PATIENCE)
        self.kernel_name = "python3"
        self._provisioner = provisioner
        self._cell_seconds = cell_seconds
        self._until = time.monotonic() + seconds
        self._late = False
        self.printed = BoundedText()
        self.reports: dict[int, wire.CellReport] = {}

    async def async_execute_cell(self, cell: Any, cell_index: int, *args: Any, **kwargs: Any) -> Any:
        """Execute one cell within its budget, or note that there is no time left or no kernel."""
        if not cell.source.strip():
            return cell
        budget = min(self._cell_seconds, self._until - time.monotonic())
        if budget <= 0 or await self._provisioner.poll() is not None:
            self.reports[cell_index] = _plain_report(cell_index, "not-run")
            return cell
        self._late = False
        guard = asyncio.ensure_future(self._guard(budget))
        try:
            await super().async_execute_cell(cell, cell_index, *args, **kwargs)
        except DeadKernelError:
            self.reports[cell_index] = _plain_report(cell_index, "killed")
        finally:
            guard.cancel()
        if self._late and await self._provisioner.poll() is None:
            told = self.reports.get(cell_index) or _plain_report(cell_index, "")
            self.reports[cell_index] = msgspec.structs.replace(told, outcome="interrupted")
        return cell

    async def _guard(self, budget: float) -> None:
        """Interrupt a cell that takes too long, and kill the kernel when that does not help."""
        await asyncio.sleep(budget)
        self._late = True
        await self._provisioner.send_signal(signal.SIGINT)
        await asyncio.sleep(GRACE)
        await self._provisioner.kill()

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> None:
        """Note what is said about a cell; its end is nbclient's business. What cannot be read says nothing."""
        with contextlib.suppress(*UNREADABLE):
            content = msg["content"]
            match msg["msg_type"]:
                case "stream":
                    self.printed.write(str(content.get("text", "")))
                case "error" if cell_index not in self.reports:
                    self.reports[cell_index] = _report(cell_index + 1, content)
                case "status":
                    super().process_message(msg, cell, cell_index)

    async def _async_poll_kernel_alive(self) -> None:
        await self._provisioner.wait()
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()


def _plain_report(index: int, outcome: str) -> wire.CellReport:
    return wire.CellReport(index + 1, outcome, "", "", ())


def _report(cell: int, content: dict[str, Any]) -> wire.CellReport:
    frames = []
    for text in list(content.get("traceback") or ())[-FRAMES_CAP:]:
        with contextlib.suppress(msgspec.MsgspecError):
            frames.append(msgspec.json.decode(str(text), type=wire.Frame))
    return wire.CellReport(cell, "raised", _text(content, "ename", 200), _text(content, "evalue", 4000), tuple(frames))


def _text(content: dict[str, Any], key: str, limit: int) -> str:
    """What the kernel says, cut; half of a surrogate pair becomes a question mark."""
    return str(content.get(key, ""))[:limit].encode("utf-8", "replace").decode()


def play(
    cells: Sequence[str], address: str, *, pid: int, bound: int, seconds: float, cell_seconds: float
) -> wire.Executed:
    """Run all cells in a forked kernel, in order.

    Args:
        cells: their sources.
        address: where the kernel's sockets are.
        pid: the kernel's process.
        bound: where it says that its sockets are bound.
        seconds: for all cells together.
        cell_seconds: for each.
    """
    return asyncio.run(_play(cells, address, pid, bound, seconds, cell_seconds))


async def _play(
    cells: Sequence[str], address: str, pid: int, bound: int, seconds: float, cell_seconds: float
) -> wire.Executed:
    provisioner = Provisioner(pid=pid, bound=bound)
    manager = _Manager(transport="ipc", ip=address, client_class="grader.worker.player._Client")
    manager.shell_port, manager.iopub_port = SHELL_PORT, IOPUB_PORT
    lighten(manager.session)
    manager.provisioner = provisioner
    player = _Player(_notebook(cells), manager, provisioner, seconds=seconds, cell_seconds=cell_seconds)
    with contextlib.suppress(DeadKernelError, RuntimeError, TimeoutError):
        async with asyncio.timeout(seconds + READY_PATIENCE + 2 * GRACE):
            await player.async_execute()
    alive = await provisioner.poll() is None
    reports = tuple(player.reports[index] for index in sorted(player.reports))
    return wire.Executed(reports[:CELLS_CAP], alive=alive, output=player.printed.text())


def _notebook(cells: Sequence[str]) -> nbformat.NotebookNode:
    """The least that nbclient executes. nbformat's own makers compile a schema first, in each fork anew."""
    made = [
        nbformat.NotebookNode(
            cell_type="code", source=source, metadata=nbformat.NotebookNode(), outputs=[], execution_count=None
        )
        for source in cells
    ]
    return nbformat.NotebookNode(nbformat=4, nbformat_minor=5, metadata=nbformat.NotebookNode(), cells=made)


async def _readable(descriptor: int) -> None:
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
