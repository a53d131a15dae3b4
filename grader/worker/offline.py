"""What student code meets when it wants something from outside: an error at once, in words.

This keeps nobody in: the walls do that (`lockdown`). It only spares students a resolver's time-outs, and tells them
why a download, a mounted drive or a question to whoever sits there cannot work while grading.
"""

from __future__ import annotations

import builtins
import getpass
import os
import socket
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any, Final, NoReturn

NO_NETWORK: Final = (
    "there is no network while grading: nothing can be downloaded. Only what was handed in is there, "
    "and what the exercise needs has to work with that"
)
NO_DRIVE: Final = (
    "{name} is only there on its own platform: no drive or data set can be mounted while grading. "
    "Keep such lines out of the cells that the exercise needs"
)
NO_INPUT: Final = "input() cannot be answered: nobody is there to type while grading. Write the value into the code."
CLOSED: Final = "http://127.0.0.1:9"
"""Nothing listens there; command-line tools that obey a proxy give up at once instead of waiting for a resolver."""

_PLATFORMS: Final = ("google", "google.colab", "kaggle_secrets", "kaggle_datasets", "dbutils")


def explain() -> None:
    """Make attempts to reach the network or a person fail at once, wherever Python is asked with a sentence."""
    builtins.input = ask_nobody
    getpass.getpass = ask_nobody
    os.environ.update(PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    for name in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy"):
        os.environ[name] = os.environ[name.upper()] = CLOSED
    socket.getaddrinfo = socket.gethostbyname = _refuse
    socket.create_connection = _refuse
    socket.socket.connect = _connect  # type: ignore[method-assign, assignment]


def ask_nobody(*_: Any, **__: Any) -> NoReturn:
    """Stands for `input` and `getpass`."""
    raise EOFError(NO_INPUT)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise OSError(NO_NETWORK)


def _connect(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        _refuse()
    super(socket.socket, self).connect(address)


class Absent(MetaPathFinder):
    """Comes after all other finders, for modules that exist only on a hosting platform."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Say why it is not there. Raises `ModuleNotFoundError`, as for any other missing module."""
        if fullname not in _PLATFORMS:
            return None
        name = "google.colab" if fullname == "google" else fullname
        raise ModuleNotFoundError(NO_DRIVE.format(name=name), name=fullname)
