"""A Jupyter kernel that is made before it is needed: everything but its sockets exists in the warm process.

Theory of operation
-------------------
`prepare` runs once in the warm worker: it creates ipykernel's application, its kernel and its shell, runs a few cells
that succeed and fail, and drops what they left. A fork of that process needs only sockets, which `Kernel.play` makes: a
shell and an iopub socket over `ipc` in the submission's own folder, no network, no heartbeat, no control channel. Then
it writes one byte to say that they are bound, and runs ipykernel's loop.

What is taken away from ipykernel, because it costs time or leaves the sandbox: debugpy, the history database, the scan
of all loaded modules, the TCP port for output of child processes, capture of C-level output. What is changed for
students: a traceback holds their own lines only, with the number of the cell; shell commands, installing packages,
asking for input and starting a debugger say why that cannot work here.

When the client writes to the kernel's `afterwards` socket, the loop gives way to whatever is to be done with the
namespace that the cells left behind.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import os
import pdb
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec
import zmq
from ipykernel.compiler import XCachingCompiler
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.error import UsageError
from IPython.core.history import HistoryManager
from IPython.utils.text import SList
from jupyter_client.jsonutil import json_default
from tornado.ioloop import IOLoop
from tornado.platform import asyncio  # noqa: F401 - what the first loop would import
from traitlets import Type
from zmq.eventloop.zmqstream import ZMQStream

from grader.serving import Listing, own_frames, said
from grader.worker import commands, offline

SHELL_PORT: Final = 1
IOPUB_PORT: Final = 2
"""In the `ipc` transport a port is the end of a path."""

BOUND: Final = b"B"

NO_DEBUGGER: Final = "There is no debugger while grading: nobody is there to type.\n"


class Compiler(XCachingCompiler):
    """Names a cell's code after the cell.

    Attributes:
        cells: those that were not run yet, as (name, source), the next one last.
    """

    cells: list[tuple[str, str]] = []  # noqa: RUF012 - replaced as a whole for each notebook

    def get_code_name(self, raw_code: str, code: str, number: int) -> str:
        """The name that tracebacks give this code."""
        for place in range(len(self.cells) - 1, -1, -1):
            name, source = self.cells[place]
            if source.strip() == raw_code.strip():
                del self.cells[place:]
                return name
        return str(super().get_code_name(raw_code, code, number))


class Shell(ZMQInteractiveShell):
    """IPython's shell, with the student's own lines as traceback and without installing.

    Attributes:
        listings: the notebook's cells by their names.
    """

    listings: dict[str, Listing] = {}  # noqa: RUF012 - replaced as a whole for each notebook

    def showtraceback(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
        """Publish an exception with its frames in the student's own code, one JSON text each."""
        try:
            kind, error, _ = self._get_exc_info(exc_tuple)
        except ValueError:
            return
        self.kernel.restore_streams()
        if kind is UsageError:
            self.show_usage_error(error)
            return
        self._showtraceback(_Named(said(error)[0]), said(error)[1], _frames(error, self.listings))

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """Publish a syntax error."""
        self.showtraceback()

    def system(self, cmd: str) -> None:
        """Say that a shell command is not run. Names in it are those of the caller, one frame up."""
        commands.refuse(self.var_expand(cmd, depth=1))
        self.user_ns["_exit_code"] = 0

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """What a shell command says that is not run: nothing."""
        commands.refuse(self.var_expand(cmd, depth=depth + 1))
        return SList() if split else ""

    def _format_exception_for_storage(self, *_: Any, **__: Any) -> str:
        """Nobody reads the history; formatting a deep recursion for it takes many seconds."""
        return ""

    def init_environment(self) -> None:
        """Commands run by cells write plain text, and page nothing."""
        os.environ["PAGER"] = os.environ["GIT_PAGER"] = "cat"

    def enable_gui(self, gui: Any = None) -> None:
        """No windows."""

    def ask_exit(self) -> None:
        """`exit` in a cell ends nothing: the cells below it are run as well."""


def _refuse_program(name: str, line: str, cell: str | None = None) -> Any:
    """Stands for the magics that give a cell to another program. Some return what that printed."""
    commands.refuse(f"{name} {line}\n{cell or ''}")
    return SList() if name in ("system", "sx") else None


def _refuse_debugging(*_: Any, **__: Any) -> None:
    """Stands for the debugger, wherever one is asked for."""
    print(NO_DEBUGGER, end="", file=sys.stderr)


class _Named:
    """Stands for an exception's class: all that is asked of it is its name."""

    def __init__(self, name: str) -> None:
        self.__name__ = name


def _frames(error: BaseException, listings: dict[str, Listing]) -> list[str]:
    return [msgspec.json.encode(frame).decode() for frame in own_frames(error, listings)]


class _Application(IPKernelApp):
    """ipykernel's application without what it does to the process around it."""

    def init_crash_handler(self) -> None:
        """None."""

    def init_pdb(self) -> None:
        """Not now."""


class _Kernel(IPythonKernel):
    """ipykernel's kernel with our shell."""

    shell_class = Type(Shell)
    compiler_class = Type(Compiler)
    _supports_kernel_subshells = False  # otherwise it follows from there being something in `shell_channel_thread`
    connected: Any = None  # called once, before the first cell

    def _publish_execute_input(self, *_: Any) -> None:
        """The client knows what it sent."""

    def _publish_status(self, status: str, channel: str, parent: Any = None) -> None:
        """Only the end of a cell is news."""
        if status == "idle":
            super()._publish_status(status, channel, parent)

    async def do_execute(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Execute a cell and answer, whatever it has done to what ipykernel itself needs."""
        connected, self.connected = self.connected, None
        if connected is not None:
            connected()
        try:
            answer: dict[str, Any] = await super().do_execute(*args, **kwargs)
        except Exception as error:
            name, message = said(error)
            answer = {"status": "error", "ename": name, "evalue": message, "traceback": []}
        self.restore_streams()
        return answer

    def restore_streams(self) -> None:
        """Put back what a cell took away or broke: ipykernel flushes both streams, and answers only after that."""
        for name, own in (("stdout", self._stdout), ("stderr", self._stderr)):
            stream: Any = getattr(sys, name, None)
            if stream is not own:
                try:
                    stream.flush()
                except Exception:
                    setattr(sys, name, own)

    def raw_input(self, prompt: Any = "") -> str:
        """Nobody is there to type."""
        offline.ask_nobody()

    def getpass(self, *_: Any, **__: Any) -> str:
        """Nobody is there to type."""
        offline.ask_nobody()


class Kernel:
    """A kernel that is ready but for its sockets. Made once, in the warm process; each fork has its own."""

    def __init__(self, folder: Path) -> None:
        """Make it. `folder` is where IPython may keep its profile."""
        sys.modules["debugpy"] = sys.modules["debugpy.server"] = None  # type: ignore[assignment]
        os.environ["IPYTHONDIR"] = str(folder)
        HistoryManager.enabled = False  # type: ignore[assignment]  # a trait takes the plain value
        self._application = _Application.instance(connection_file=str(folder / "none.json"))
        super(IPKernelApp, self._application).initialize([])
        session = self._application.session
        lighten(session)
        self._application.log.setLevel(logging.CRITICAL)
        self._kernel = _Kernel.instance(
            parent=self._application,
            session=session,
            log=self._application.log,
            profile_dir=self._application.profile_dir,
        )
        self._application.kernel = self._kernel
        assert self._kernel.shell is not None
        self._shell: Any = self._kernel.shell
        self._application.shell = self._shell
        self._shell.display_formatter.active_types = ["text/plain"]  # nobody looks at pictures: they are not drawn
        self._replace_magics()
        self._rehearse()

    @property
    def namespace(self) -> dict[str, Any]:
        """What the cells define."""
        found: dict[str, Any] = self._shell.user_ns
        return found

    def play(
        self,
        address: str,
        cells: Sequence[tuple[str, Listing]],
        *,
        bound: int,
        connected: Callable[[], None],
        afterwards: int,
        then: Callable[[], None],
    ) -> NoReturn:
        """Serve execute requests until `afterwards` is readable, then do that. To be called in a fork; never returns.

        Args:
            address: a path in an empty folder; the sockets lie beside each other under names that begin with it.
            cells: the notebook's cells and their names, in order.
            bound: a descriptor that gets one byte when the sockets can be connected to.
            connected: called once, before the first cell: the client is there by then.
            afterwards: a descriptor to watch.
            then: what to do when it is readable; the process ends when that returns.
        """
        try:
            self._name(cells)
            sys.breakpointhook = pdb.set_trace = pdb.post_mortem = pdb.pm = _refuse_debugging
            self._kernel.connected = connected
            self._connect(address)
            os.write(bound, BOUND)
            os.close(bound)
            loop = IOLoop.current()
            loop.add_handler(afterwards, lambda *_: self._leave(then), IOLoop.READ)
            loop.start()
        finally:
            os._exit(0)

    def _leave(self, then: Callable[[], None]) -> NoReturn:
        try:
            then()
        finally:
            os._exit(0)

    def _name(self, cells: Sequence[tuple[str, Listing]]) -> None:
        self._shell.listings = dict(cells)
        self._shell.compile.cells = [(name, "\n".join(listing.lines)) for name, listing in reversed(cells)]

    def _replace_magics(self) -> None:
        """Those that start programs, and those that wait for a person."""
        register = self._shell.register_magic_function
        for name in commands.INTERPRETERS:
            register(functools.partial(_refuse_program, name), "line_cell", name)
        for manager in commands.MANAGERS:
            register(functools.partial(self._manage_packages, manager), "line", manager)
        register(_refuse_debugging, "line_cell", "debug")
        register(_refuse_debugging, "line", "pdb")

    def _manage_packages(self, manager: str, line: str) -> None:
        self._shell.system(f"{manager} {line}")

    def _connect(self, address: str) -> None:
        context = zmq.Context()
        shell = context.socket(zmq.ROUTER)
        shell.bind(f"ipc://{address}-{SHELL_PORT}")
        iopub = context.socket(zmq.XPUB)
        iopub.bind(f"ipc://{address}-{IOPUB_PORT}")
        session, kernel = self._application.session, self._kernel
        thread = IOPubThread(iopub, pipe=False, session=session)
        thread.start()
        kernel.iopub_thread = thread
        self._wire(thread.background_socket)
        sys.stdout = kernel._stdout = OutStream(session, thread, "stdout", watchfd=False)
        sys.stderr = kernel._stderr = OutStream(session, thread, "stderr", watchfd=False)
        kernel.shell_stream = ZMQStream(shell)
        kernel.shell_channel_thread = _NoThread()
        self._application.init_signal()
        kernel.start()

    def _wire(self, publisher: Any) -> None:
        """Have everything that is published go through this socket."""
        self._kernel.iopub_socket = publisher
        self._shell.displayhook.pub_socket = self._shell.display_pub.pub_socket = publisher

    def _rehearse(self) -> None:
        """Run cells that do what cells do, so that what is imported and compiled on the way is there already."""
        self._wire(_Nowhere())
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for source in REHEARSED:
                self._shell.run_cell(source, store_history=True)
        self._shell.reset(new_session=True)


def lighten(session: Any) -> None:
    """Sign nothing, look for forks no more, and read and write JSON faster: both ends are ours."""
    session.key, session.check_pid = b"", False
    session.pack, session.unpack = _pack, _unpack


def _pack(content: Any) -> bytes:
    try:
        return msgspec.json.encode(content, enc_hook=json_default)
    except (ValueError, TypeError, OverflowError, RecursionError):  # half of a surrogate pair, for one
        return json.dumps(content, default=json_default).encode()  # which writes what is no text as escapes


def _unpack(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.MsgspecError:
        return json.loads(content)


class _NoThread:
    """Stands for the thread of the shell channel, which there is none of: whose cells await is asked of it."""

    def __init__(self) -> None:
        self.parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class _Nowhere:
    """A socket that leads nowhere."""

    def send_multipart(self, *_: Any, **__: Any) -> None:
        """Drop it."""


REHEARSED: Final = (
    "import math\nx = 1\nx",
    "%time sum(range(3))",
    "def f():\n    return 1 / 0\nf()",
    "1 +",
    "print('hello')",
)
