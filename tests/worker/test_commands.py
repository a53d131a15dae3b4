from __future__ import annotations

import os
import sys

import pytest

from grader.worker import commands

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")


@pytest.mark.parametrize(
    "command",
    [
        "pip install torch",
        "pip3.11 install -q torch --upgrade",
        "  sudo -H pip install torch",
        "/usr/bin/python3 -u -m pip install torch",
        "'/a folder/python' -m pip install torch",
        "/usr/local/bin/pip install torch",
        "pip install torch > log.txt 2>&1",
        "pip install torch &> log.txt",
        "uv add torch",
        "apt-get -qq -y install graphviz",
        "micromamba create -n course",
    ],
)
def test_nothing_is_left_of_a_command_that_installs(command):
    assert commands.without_installing(command).strip() == "true"


@pytest.mark.parametrize(
    ("command", "rest"),
    [
        ("cd .. && pip install torch", "cd .. &&true "),
        ("pip install torch | tail -1", "true | tail -1"),
        ("pip install torch 2>&1 | tail -1", "true | tail -1"),
        ("(pip install torch); ls", "(true ); ls"),
        ("ls; pip install torch; pip install numpy", "ls;true ;true "),
        ("ls\npip install torch\nls", "ls\ntrue \nls"),
    ],
)
def test_the_rest_of_a_command_is_kept(command, rest):
    assert commands.without_installing(command) == rest


@pytest.mark.parametrize(
    "command",
    [
        "pip list",
        "pip --version",
        "pip list | grep install",
        "echo pip install torch",
        "ls install",
        "python install.py",
        "git clone https://example.org/pip install",
        "cat notes-on-pip/install.txt",
    ],
)
def test_other_commands_are_left_as_they_are(command):
    assert commands.without_installing(command) == command


def test_a_command_s_words_are_printed_and_its_exit_code_returned(capsys):
    code = commands.run("echo one; echo two >&2; cat; exit 4")

    assert capsys.readouterr().out == "one\ntwo\n"
    assert code == 4


def test_a_character_that_arrives_in_two_pieces_is_one(capsys):
    commands.run("printf '\\303'; sleep 0.2; printf '\\244'")

    assert capsys.readouterr().out == "ä"


def test_no_descriptor_is_left_open():
    before = os.listdir("/proc/self/fd")
    commands.run("true")

    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_command_in_the_background_is_refused_in_ipython_s_words():
    with pytest.raises(OSError, match="Background processes not supported"):
        commands.run("sleep 600 &")
