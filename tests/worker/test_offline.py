"""What student code meets when it wants something from outside."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def told(code: str) -> str:
    """What a fresh process prints that was told to explain, and then runs this."""
    setup = "import sys\nfrom grader.worker import offline\noffline.explain()\nsys.meta_path.append(offline.Absent())\n"
    command = [sys.executable, "-c", setup + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize(
    "attempt",
    [
        "import urllib.request; urllib.request.urlopen('https://example.org/data.txt')",
        "import socket; socket.create_connection(('192.0.2.1', 80))",
        "import socket; socket.socket().connect(('192.0.2.1', 80))",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import torch.hub; torch.hub.download_url_to_file('https://example.org/x', 'x')",
        "import http.client; http.client.HTTPSConnection('example.org').request('GET', '/')",
    ],
)
def test_a_download_fails_with_a_sentence(attempt):
    printed = told(f"try:\n    {attempt}\nexcept OSError as error:\n    print(error)")

    assert "no network while grading" in printed


def test_local_sockets_are_none_of_its_business():
    printed = told("import socket\na, b = socket.socketpair()\na.send(b'x')\nprint(b.recv(1))")

    assert printed == "b'x'\n"


@pytest.mark.parametrize("module", ["google.colab", "kaggle_secrets"])
def test_a_platforms_module_says_why_it_is_not_there(module):
    printed = told(f"try:\n    import {module}\nexcept ModuleNotFoundError as error:\n    print(error)")

    assert module in printed
    assert "mounted while grading" in printed


def test_other_missing_modules_are_missing_as_usual():
    printed = told("try:\n    import nowhere_to_be_found\nexcept ModuleNotFoundError as error:\n    print(error)")

    assert printed == "No module named 'nowhere_to_be_found'\n"


def test_pip_gives_up_at_once():
    printed = told("import os\nprint(os.environ['PIP_NO_INDEX'], os.environ['https_proxy'])")

    assert printed == "1 http://127.0.0.1:9\n"


@pytest.mark.parametrize("question", ["input('name? ')", "import getpass; getpass.getpass()"])
def test_a_question_says_that_nobody_is_there_to_answer(question):
    printed = told(f"try:\n    {question}\nexcept EOFError as error:\n    print(error)")

    assert "nobody is there to type" in printed
