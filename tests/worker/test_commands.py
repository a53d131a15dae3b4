from __future__ import annotations

import pytest

from grader.worker import commands


@pytest.mark.parametrize(
    "command",
    [
        "pip install torch",
        "pip3.11 install -q torch --upgrade",
        "  sudo -H pip install torch",
        "/usr/bin/python3 -u -m pip install torch",
        "'/a folder/python' -m pip install torch",
        "/usr/local/bin/pip install torch",
        "cd .. && pip install torch",
        "(pip install torch); ls",
        "uv add torch",
        "apt-get -qq -y install graphviz",
        "micromamba create -n course",
    ],
)
def test_who_wants_to_install_something_learns_that_nothing_is_missing(command, capsys):
    commands.refuse(command)

    assert capsys.readouterr().err == commands.NO_INSTALL


@pytest.mark.parametrize("command", ["ls", "pip list", "ls install", "python install.py", "echo hello", "", "a\nb"])
def test_who_wants_to_run_something_else_learns_that_it_is_not_run(command, capsys):
    commands.refuse(command)

    assert capsys.readouterr().err == commands.NO_COMMAND
