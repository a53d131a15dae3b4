"""`%check` and `grader.check` in a real kernel: nbclient runs one notebook, of which each test looks at some cells."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

SETTINGS = """
import random, signal, sys, threading, warnings
import numpy
warnings.filterwarnings("ignore", message="one of my own")
torch.manual_seed(7), numpy.random.seed(7), random.seed(7)
torch.set_default_dtype(torch.float64)
def settings():
    return [
        torch.get_rng_state().sum().item(), repr(numpy.random.get_state()), repr(random.getstate()),
        str(torch.get_default_dtype()), str(torch.get_default_device()), torch.get_num_threads(),
        repr(warnings.filters), torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
        repr([signal.getsignal(each) for each in (signal.SIGINT, signal.SIGALRM, signal.SIGCHLD)]),
        repr(signal.getitimer(signal.ITIMER_REAL)), threading.active_count(), repr(sys.stdout),
        [name for name in globals() if name[0] != "_"],
    ]
before = after = None
before = settings()
"""

DISTURBER = """
class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        torch.manual_seed(0), numpy.random.seed(0), random.seed(0)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(False)
        warnings.simplefilter("error")
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        self.layer = nn.Linear(embed_dim, embed_dim)
    def forward(self, x, mask=None):
        print("loud", end="")
        return self.layer(x)
"""

INTERRUPTED = """
import os, threading
class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.layer = nn.Linear(embed_dim, embed_dim)
    def forward(self, x, mask=None):
        os.kill(os.getpid(), signal.SIGINT)
        return self.layer(x)
interrupted = False
before = settings()
try:
    grader.check(SelfAttention)
except KeyboardInterrupt:
    interrupted = True
print(interrupted, before == settings())
"""

FORGETFUL = """
class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(embed_dim, embed_dim, bias=False) for _ in range(3))
    def forward(self, x, mask=None):
        scores = self.q(x) @ self.k(x).transpose(-2, -1) / math.sqrt(x.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        return scores.softmax(-1) @ self.v(x)
"""


def cells(solution: Callable[..., str]) -> dict[str, str]:
    return {
        "too early": "%load_ext grader\n%check self-attention",
        "forgetful": f"import torch\nfrom torch import nn\n{FORGETFUL}",
        "import forgotten": "import grader\ngrader.check(SelfAttention)\nprint('math' in globals())",
        "reference": solution("reference"),
        "settings": SETTINGS,
        "correct": "%check self-attention",
        "settings afterwards": "after = settings()\nafter[-1] == before[-1]\nprint(before == after)",
        "without a name": "%check",
        "by the class": "grader.check(SelfAttention)",
        "two in a cell": "grader.check(SelfAttention)\nprint('between')\ngrader.check(SelfAttention, 'self-attention')",
        "wrong": f"{solution('wrong/extra_required_argument')}\ngrader.check(SelfAttention)",
        "disturbing": DISTURBER,
        "disturbed": "before = settings()\ngrader.check(SelfAttention)\nprint(before == settings())",
        "interrupted": INTERRUPTED,
        "after the interruption": f"{solution('reference')}\n%check self-attention",
        "other name": "class Something(SelfAttention): pass\ngrader.check(Something)",
        "an instance": "grader.check(SelfAttention(8))",
        "a number": "grader.check(42)",
        "unknown assignment": "%check self-atention",
        "unknown class": "%check self-attention SelfAtention",
        "too much": "%check self-attention SelfAttention please",
        "in a thread": "one = threading.Thread(target=grader.check, args=(SelfAttention,))\none.start(); one.join()",
        "in a module": "from attention import SelfAttention as Mine\ngrader.check(Mine)",
        "deleted": "del SelfAttention\n%check self-attention",
        "processes": "import subprocess\nprint(subprocess.run(['ps', '--ppid', str(os.getpid()), '-o', 'args'],"
        " capture_output=True, text=True).stdout.count('grader.examiner'))",
    }


@pytest.fixture(scope="module")
def ran(
    packs: Path, tmp_path_factory: pytest.TempPathFactory, solution: Callable[..., str]
) -> dict[str, list[dict[str, Any]]]:
    """The outputs of each cell."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "assignments").mkdir()
    (folder / "assignments" / "self-attention").symlink_to(packs / "assignments" / "self-attention")
    (folder / "attention.py").write_text(solution("wrong/extra_required_argument"))
    named = cells(solution)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in named.values()])
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return {name: cell["outputs"] for name, cell in zip(named, notebook.cells, strict=True)}


def cards(outputs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """HTML and text of each card in a cell's output."""
    assert not [output for output in outputs if output["output_type"] == "error"], json.dumps(outputs, indent=1)
    data = [output["data"] for output in outputs if output["output_type"] == "display_data"]
    return [(each["text/html"], each["text/plain"]) for each in data]


def printed(outputs: list[dict[str, Any]]) -> str:
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


@pytest.mark.parametrize("name", ["correct", "without a name", "by the class", "after the interruption"])
def test_a_card_says_what_passes_and_that_hidden_checks_are_more(ran: Any, name: str) -> None:
    ((html, text),) = cards(ran[name])

    assert "Self-attention: 9 of 9 public checks are correct" in text
    assert "9 of 9 public checks are correct" in html
    assert "hidden checks look at more" in text
    assert "hidden checks look at more" in html
    assert "SelfAttention in this notebook" in text
    assert printed(ran[name]) == ""


def test_every_call_in_a_cell_shows_its_card(ran: Any) -> None:
    assert len(cards(ran["two in a cell"])) == 2


def test_what_is_wrong_is_named_and_what_is_right_listed(ran: Any) -> None:
    ((html, text),) = cards(ran["wrong"])

    assert "8 of 9 public checks are correct" in text
    assert "Extra constructor argument" in html
    assert "Extra constructor argument" in text


def test_nothing_in_the_kernel_is_changed_by_a_correct_class(ran: Any) -> None:
    assert printed(ran["settings afterwards"]) == "True\n"


def test_nothing_in_the_kernel_is_changed_by_a_class_that_changes_everything(ran: Any) -> None:
    ((_, text),) = cards(ran["disturbed"])

    assert printed(ran["disturbed"]) == "True\n"
    assert "public checks are correct" in text
    assert "9 of 9" not in text


def test_an_interruption_ends_the_check_and_changes_nothing(ran: Any) -> None:
    assert cards(ran["interrupted"]) == []
    assert printed(ran["interrupted"]) == "True True\n"


def test_a_forgotten_import_is_told_and_not_left_behind(ran: Any) -> None:
    ((_, text),) = cards(ran["import forgotten"])

    assert "import math" in text
    assert "this notebook, cell 2, line 9" in text
    assert printed(ran["import forgotten"]) == "False\n"


def test_a_class_from_a_module_is_looked_up_there(ran: Any) -> None:
    ((_, text),) = cards(ran["in a module"])

    assert "SelfAttention in attention.py" in text
    assert "8 of 9" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("too early", "there is no class SelfAttention in this notebook"),
        ("deleted", "there is no class SelfAttention in this notebook"),
        ("an instance", "give the class itself"),
        ("a number", "int is no class to check"),
        ("unknown assignment", "did you mean 'self-attention'?"),
        ("unknown class", "did you mean SelfAttention?"),
        ("too much", "that is more than %check takes"),
        ("in a thread", "call it in a cell, not in a thread"),
    ],
)
def test_what_cannot_be_checked_is_told_in_a_sentence_and_without_a_traceback(ran: Any, name: str, said: str) -> None:
    ((html, text),) = cards(ran[name])

    assert said in " ".join(text.split())
    assert "Nothing was checked" in html
    assert "Traceback" not in text


def test_a_class_of_another_name_is_checked_when_there_is_one_assignment(ran: Any) -> None:
    ((_, text),) = cards(ran["other name"])

    assert "9 of 9" in text
    assert "SelfAttention was asked for" in text


def test_one_examiner_serves_the_whole_notebook(ran: Any) -> None:
    assert printed(ran["processes"]) == "1\n"


def test_importing_the_package_imports_nothing_else() -> None:
    heavy = "[name for name in sys.modules if name in ('torch', 'numpy', 'click') or name.startswith('grader.')]"
    command = [sys.executable, "-c", f"import sys, grader; print({heavy})"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)

    assert told.stdout == "[]\n"


def test_a_script_gets_the_card_as_text(packs: Path, tmp_path: Path, solution: Callable[..., str]) -> None:
    script = tmp_path / "attention.py"
    script.write_text(f"{solution('reference')}\nimport grader\ngrader.check(SelfAttention)\n")
    done = subprocess.run([sys.executable, str(script)], cwd=packs, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "9 of 9 public checks are correct" in done.stdout
    assert "SelfAttention in attention.py" in done.stdout
