"""Small notebooks, each with what is to become of it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .writing import Document, code, notebook, old_notebook, saved, text

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
MARK = "notebook-case-sleeper"
"""What a process is called that a notebook leaves behind."""
RICH = "rich-output-of-a-notebook"
"""A word that stands only in HTML, JavaScript and SVG that notebooks show."""


def reference(assignment: str) -> tuple[str, str]:
    """The imports and the class of the reference solution."""
    source = (SOLUTIONS / assignment / "reference.py").read_text()
    at = source.index("class ")
    return source[source.index("import ") : at].strip(), source[at:].strip()


IMPORTS, CLASS = reference("self-attention")
_, MULTI = reference("multi-head-attention")
NO_MATH = IMPORTS.removeprefix("import math").strip()
DEMO = "attention = SelfAttention(8)\nprint(attention(torch.rand(2, 5, 8)).shape)"
ENDLESS = "loss = 1.0\nwhile loss > 0:\n    loss = loss * 0.5 + 0.5"
STUBBORN = "while True:\n    try:\n        while True:\n            pass\n    except KeyboardInterrupt:\n        pass"
WITH_LIST = CLASS.replace("weights = torch.softmax(scores, dim=-1)", "weights = scores.softmax(list((0, -1))[1])")
WITH_HELPER = CLASS.replace("math.sqrt(k.shape[-1])", "scale(k.shape[-1])")
WITH_F = CLASS.replace("torch.softmax(", "F.softmax(")
UNSCALED = CLASS.replace(" / math.sqrt(k.shape[-1])", "")
ADDED = CLASS.replace("weights = torch", "scores = scores + scores[:, 0]\n        weights = torch")
FROM_LIBRARY = CLASS.replace(
    "        q = self.query(x)",
    "        attend = nn.functional.scaled_dot_product_attention\n        q = self.query(x)",
).replace("return self.dropout(weights) @ v", "return attend(q, k, v, None if mask is None else mask != 0)")
NO_COLON = CLASS.replace("mask=None):", "mask=None)")

Way = Literal["executed", "partly", "rescued", "nothing", "rejected"]
Earns = Literal["all", "some", "none"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A notebook and what is to become of it.

    Attributes:
        about: what is special about it.
        path: how much of it is run.
        earns: how many of the points.
        finding: the mistake that is named first.
        stopped: the cells that do not run to their end, and why.
        notes: stands in the note on why not all was run, or in the reason why it was rejected.
        repairs: stands among what was put right.
        warns: stands among the warnings.
        where: what the first failed check points at: the cell, and what stands in that line of it alone.
        content: what is handed in, where the cells alone do not tell.
        beside: other files of the same student.
    """

    about: str
    path: Way
    earns: Earns = "all"
    cells: tuple[str | Document, ...] = ()
    finding: str = ""
    stopped: dict[int, str] = field(default_factory=dict)
    notes: str = ""
    repairs: str = ""
    warns: str = ""
    where: tuple[int, str] | None = None
    assignments: tuple[str, ...] = ("self-attention",)
    content: Callable[[], bytes] | None = None
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> list[str]:
        """Its code cells."""
        cells = [code(cell) if isinstance(cell, str) else cell for cell in self.cells]
        return [cell["source"] for cell in cells if cell["cell_type"] == "code"]

    def write(self, folder: Path, student: str) -> None:
        """Hand it in: one file in the class's folder, or a folder of its own where there are several."""
        content = self.content() if self.content is not None else saved(notebook(*self.cells))
        if self.beside:
            folder = folder / student
            folder.mkdir()
            for name, source in self.beside.items():
                (folder / name).write_text(source)
        (folder / f"{student}.ipynb").write_bytes(content)


def until(seconds: float) -> str:
    """A cell that ends so long after the notebook began, however long the cells above it took."""
    return f"time.sleep(max(0, begun + {seconds} - time.monotonic()))"


def executed(about: str, *cells: str | Document, **facts: object) -> Case:
    return Case(about=about, path="executed", cells=cells, **facts)


def partly(about: str, *cells: str | Document, **facts: object) -> Case:
    return Case(about=about, path="partly", cells=cells, **facts)


def rescued(about: str, *cells: str | Document, **facts: object) -> Case:
    return Case(about=about, path="rescued", cells=cells, **facts)


def rejected(about: str, content: Callable[[], bytes], notes: str) -> Case:
    assignments = ("multi-head-attention", "self-attention")
    return Case(about=about, path="rejected", earns="none", content=content, notes=notes, assignments=assignments)


# -- what is handed in, where the cells alone do not tell -------------------------------------------------------------


def stripped() -> bytes:
    """No ids, no metadata, no outputs."""
    cells = [{"cell_type": "code", "source": source} for source in (IMPORTS, CLASS, DEMO)]
    return saved({"nbformat": 4, "nbformat_minor": 5, "cells": cells})


def same_ids() -> bytes:
    return saved(notebook(*(code(source, id="same") for source in (IMPORTS, CLASS, DEMO))))


def format_3() -> bytes:
    return saved(old_notebook(IMPORTS, CLASS, DEMO))


def format_4_0() -> bytes:
    cells = [code(source) for source in (IMPORTS, CLASS, DEMO)]
    return saved({"nbformat": 4, "nbformat_minor": 0, "metadata": {}, "cells": cells})


def enormous() -> bytes:
    """100 MB of output in one cell."""
    output = {"output_type": "stream", "name": "stdout", "text": "0123456789" * 10_000_000}
    return json.dumps(notebook(IMPORTS, CLASS, code("print(tokens)", outputs=[output]))).encode()


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("attention.ipynb", saved(notebook(IMPORTS, CLASS)))
    return packed.getvalue()


def deep() -> bytes:
    nested = "[" * 100_000 + "]" * 100_000
    return saved(notebook(IMPORTS, CLASS)).replace(b'"outputs": []', f'"outputs": {nested}'.encode())


# -- the cases --------------------------------------------------------------------------------------------------------

CASES: dict[str, Case] = {
    # a correct one before, between and after all others
    "aa_correct": executed("correct; first of the class", text("# Self-attention"), IMPORTS, CLASS, DEMO),
    "mm_correct": executed("correct; in the middle of the class", IMPORTS, CLASS, DEMO),
    "zz_correct": executed("correct; last of the class", IMPORTS, CLASS, DEMO),
    # cells that fail
    "fails_below": partly(
        "a demonstration below the class fails",
        *(IMPORTS, CLASS, "attention = SelfAttention(8)\nattention(torch.rand(2, 5, 9))"),
        stopped={3: "raised"},
        notes="cell 3 raised RuntimeError",
        finding="notebook-cell-failed",
    ),
    "fails_above": partly(
        "a cell above the class fails",
        *(IMPORTS, "tokens = open('tokens.txt').read()", CLASS, DEMO),
        stopped={2: "raised"},
        notes="cell 2 raised FileNotFoundError",
        finding="notebook-cell-failed",
    ),
    "fails_above_in_the_cell": rescued(
        "a line above the class fails, in the same cell",
        *(IMPORTS, f"tokens = embeddings[:5]\n{CLASS}", text("## Demonstration"), DEMO),
        stopped={2: "raised", 3: "raised"},
        notes="SelfAttention is missing when all cells have run, although x.ipynb, cell 2 defines it",
        finding="notebook-cell-failed",
    ),
    "missing_package": rescued(
        "the first cell imports a package that is not installed",
        *(f"import keras_of_tomorrow\n{IMPORTS}", CLASS, DEMO),
        stopped={1: "raised", 2: "raised", 3: "raised"},
        notes="cell 2 defines it",
        finding="notebook-cell-failed",
    ),
    "missing_package_alone": partly(
        "a package that is not installed, in a cell of its own",
        *("from keras_of_tomorrow import layers", IMPORTS, CLASS, DEMO),
        stopped={1: "raised"},
        notes="cell 1 raised ModuleNotFoundError",
        finding="notebook-cell-failed",
    ),
    "wrong_order": rescued(
        "the cells are in the wrong order",
        *(DEMO, CLASS, IMPORTS),
        stopped={1: "raised", 2: "raised"},
        notes="cell 2 defines it",
        finding="notebook-out-of-order",
    ),
    "asks_for_input": partly(
        "input() in a cell",
        *(IMPORTS, CLASS, "size = int(input('embedding size? '))"),
        stopped={3: "raised"},
        notes="input() cannot be answered",
        finding="input-requested",
    ),
    "recurses_for_ever": partly(
        "a function that calls itself for ever",
        *(IMPORTS, CLASS, "def forever(n):\n    return forever(n + 1)\nforever(0)"),
        stopped={3: "raised"},
        notes="cell 3 raised RecursionError",
        finding="notebook-cell-failed",
    ),
    # cells that do not end, and cells that end the process
    "trains_for_ever": partly(
        "an endless training loop below the class",
        *(IMPORTS, CLASS, ENDLESS, DEMO),
        stopped={3: "interrupted"},
        notes="cell 3",
        finding="notebook-timed-out",
    ),
    "trains_above_in_the_cell": rescued(
        "an endless loop above the class, in the same cell",
        *(IMPORTS, f"{ENDLESS}\n{CLASS}", DEMO),
        stopped={2: "interrupted", 3: "raised"},
        notes="cell 2 defines it",
        finding="notebook-timed-out",
    ),
    "ignores_interrupts": rescued(
        "an endless loop that swallows KeyboardInterrupt, above the class",
        *(IMPORTS, f"{STUBBORN}\n{CLASS}", DEMO),
        stopped={2: "killed", 3: "not-run"},
        notes="while cell 2 was running",
        finding="notebook-cell-failed",
    ),
    "exits": rescued(
        "os._exit below the class",
        *(IMPORTS, CLASS, "import os\nos._exit(0)", DEMO),
        stopped={3: "killed", 4: "not-run"},
        notes="while cell 3 was running",
        finding="notebook-cell-failed",
    ),
    "segfaults": rescued(
        "a segmentation fault below the class",
        *(IMPORTS, CLASS, "import ctypes\nctypes.string_at(0)", DEMO),
        stopped={3: "killed", 4: "not-run"},
        notes="while cell 3 was running",
        finding="notebook-cell-failed",
    ),
    "waits_for_ever": partly(
        "an endless loop that awaits, above the class",
        *(IMPORTS, "import asyncio\nwhile True:\n    await asyncio.sleep(0.01)", CLASS, DEMO),
        stopped={2: "interrupted"},
        notes="cell 2",
        finding="notebook-timed-out",
    ),
    "slow_all_together": partly(
        "each cell is within its time, all together are not",
        *(f"import time\nbegun = time.monotonic()\n{IMPORTS}", CLASS, *map(until, (1.1, 2.2, 3.3, 4.4, 6.1)), DEMO),
        stopped={7: "interrupted", 8: "not-run"},
        notes="cell 7",
        finding="notebook-timed-out",
    ),
    "leaves_a_process": executed(
        "a process is left running in the background",
        *(IMPORTS, CLASS),
        "import os, time\nif os.fork() == 0:\n    time.sleep(300)\n    os._exit(0)\nprint('left it')",
    ),
    # names that no longer hold what they held
    "class_is_its_instance": rescued(
        "the class is shadowed by its own instance",
        *(IMPORTS, CLASS, "SelfAttention = SelfAttention(8)"),
        notes="SelfAttention is a value of type SelfAttention when all cells have run",
    ),
    "list_is_a_tensor": rescued(
        "the builtin `list`, which the class uses, is overwritten by a tensor",
        *(IMPORTS, WITH_LIST, "list = torch.softmax(torch.arange(3.0), dim=0)"),
        notes="list is a value of type Tensor",
        finding="shadowed-builtin",
    ),
    "helper_is_its_result": rescued(
        "a helper function is overwritten by its result",
        *(IMPORTS, "def scale(size):\n    return math.sqrt(size)", WITH_HELPER, "scale = scale(64)"),
        notes="scale is a value of type float",
    ),
    "defined_three_times": executed(
        "the class is defined three times; only the last one is right",
        *(IMPORTS, UNSCALED, ADDED, CLASS, DEMO),
    ),
    "last_definition_not_reached": rescued(
        "the last of three definitions stands below a line that fails",
        *(IMPORTS, UNSCALED, ADDED, f"tokens = embeddings[:5]\n{CLASS}"),
        stopped={4: "raised"},
        notes="not the last one, in",
        finding="notebook-cell-failed",
    ),
    "forgets_everything": rescued(
        "%reset at the end",
        *(IMPORTS, CLASS, "%reset -f"),
        notes="cell 2 defines it",
    ),
    # what is no Python
    "other_languages": executed(
        "cells in Bash, HTML, JavaScript and LaTeX",
        *(IMPORTS, "%%bash\necho hello", "%%html\n<b>hello</b>", "%%javascript\nalert(1)", "%%latex\n$QK^T$", CLASS),
        repairs="cell 2 is not Python (%%bash)",
    ),
    "prose_in_a_code_cell": partly(
        "prose in a code cell",
        *(IMPORTS, CLASS, "Here I explain why we divide by the square root."),
        stopped={3: "raised"},
        notes="cell 3 raised SyntaxError",
        finding="notebook-cell-failed",
    ),
    "magics": executed(
        "magics, help and shell commands, also around the class",
        *("%matplotlib inline\n%load_ext autoreload", f"{IMPORTS}\n!ls\nfiles = !ls", f"%%time\n{CLASS}"),
        *("%time attention = SelfAttention(8)\nattention(torch.rand(2, 5, 8)).shape", "nn.Linear?", "print(files)"),
    ),
    "installs_packages": executed(
        "the first cell installs packages",
        *("!pip install torch einops\n%pip install -q numpy", IMPORTS, CLASS, DEMO),
        repairs="`!pip install torch einops` was not run",
    ),
    "waits_at_the_top": executed(
        "await outside of a function",
        *(IMPORTS, CLASS, "import asyncio\nawait asyncio.sleep(0.01)\nprint('waited')"),
    ),
    "says_exit": executed("exit() between the cells", *(IMPORTS, "exit()", CLASS, "quit", DEMO)),
    # outputs
    "plots": executed(
        "plots its attention weights with matplotlib",
        *(IMPORTS, CLASS, "import matplotlib.pyplot as plt\nplt.imshow(torch.rand(5, 5))\nplt.show()"),
    ),
    "prints_10_megabytes": executed(
        "prints 10 MB",
        *(IMPORTS, CLASS, "for _ in range(1000):\n    print('x' * 10_000)"),
    ),
    "shows_rich_outputs": executed(
        "HTML, JavaScript and SVG as output, stored and new",
        *(IMPORTS, CLASS),
        f"from IPython.display import HTML, SVG, Javascript, display\ndisplay(HTML('<script>{RICH}</script>'))\n"
        f"display(Javascript('{RICH}'), SVG('<svg><text>{RICH}</text></svg>'))\nHTML('<b>{RICH}</b>')",
        code(
            "1 + 1",
            outputs=[
                {
                    "output_type": "execute_result",
                    "execution_count": 1,
                    "metadata": {},
                    "data": {"text/html": f"<script>{RICH}</script>", "text/plain": RICH},
                }
            ],
        ),
    ),
    "enormous_output": partly(
        "100 MB of stored output",
        content=enormous,
        stopped={3: "raised"},
        notes="cell 3 raised NameError",
        finding="notebook-cell-failed",
    ),
    # forms of the file
    "no_ids_no_metadata": executed(
        "ids and metadata are stripped", content=stripped, repairs="cells without an id were given one"
    ),
    "duplicated_ids": executed("all cells have the same id", content=same_ids, repairs="cells that shared an id"),
    "format_3": executed("format 3, with worksheets", content=format_3, repairs="converted from the old format 3"),
    "format_4_0": executed("format 4.0, without ids", content=format_4_0),
    # several files, several assignments
    "beside_a_helper": executed(
        "a notebook beside a module that it imports",
        *(f"{IMPORTS}\nfrom helper import scale", WITH_HELPER, DEMO),
        beside={"helper.py": "import math\n\n\ndef scale(size):\n    return math.sqrt(size)\n"},
    ),
    "beside_the_same_class": executed(
        "notebook and module, each with the class; the module is taken",
        *(IMPORTS, UNSCALED),
        beside={"solution.py": f"{IMPORTS}\n\n\n{CLASS}\n"},
        warns="SelfAttention in solution.py is graded; SelfAttention in x.ipynb would have fitted as well",
    ),
    "both_assignments": executed(
        "one notebook for both assignments",
        *(IMPORTS, CLASS, MULTI, "import secrets\nprint('run', secrets.token_hex(8))"),
        assignments=("multi-head-attention", "self-attention"),
    ),
    # mistakes
    "forgot_an_import": executed(
        "math was never imported",
        *(NO_MATH, CLASS),
        earns="some",
        finding="import-missing",
        where=(2, "math.sqrt"),
    ),
    "forgot_two_imports": executed(
        "math and torch.nn.functional as F were never imported",
        *(NO_MATH, WITH_F),
        earns="some",
        finding="import-missing",
        where=(2, "math.sqrt"),
    ),
    "syntax_error_in_the_class": Case(
        about="a colon is missing in the class",
        path="nothing",
        cells=(IMPORTS, "print('hello')", NO_COLON),
        earns="none",
        finding="syntax-error",
        stopped={3: "raised"},
        where=(3, "def forward(self, x, mask=None)"),
    ),
    "not_scaled": executed(
        "the scores are not scaled",
        *(IMPORTS, UNSCALED, DEMO),
        earns="some",
        finding="scale-missing",
    ),
    "wrong_shape": executed(
        "a line of the class fails for most shapes",
        *(IMPORTS, text("## My class"), CLASS.replace("@ v ", "@ v.transpose(-2, -1) ")),
        earns="some",
        finding="shape-error",
        where=(2, "@ v.transpose(-2, -1)"),
    ),
    "calls_the_library": executed(
        "the class calls the library's attention",
        *(IMPORTS, text("## My class"), "print('hello')", FROM_LIBRARY),
        earns="some",
        finding="forbidden-api",
    ),
    # not accepted
    "rejected_r": rejected("an R kernel", lambda: saved(notebook("x <- 1", kernel="ir", language="R")), "in R"),
    "rejected_julia": rejected(
        "a Julia kernel", lambda: saved(notebook("x = 1", kernel="julia-1.10", language="julia")), "notebook in julia"
    ),
    "rejected_empty": rejected("no cells", lambda: saved(notebook()), "it holds no code"),
    "rejected_text_only": rejected("only text", lambda: saved(notebook(text("# Attention"))), "it holds no code"),
    "rejected_cut_off": rejected(
        "cut off in the middle", lambda: saved(notebook(IMPORTS, CLASS))[:1000], "it breaks off in line"
    ),
    "rejected_web_page": rejected(
        "a web page", lambda: b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "it is a web page (HTML)"
    ),
    "rejected_zip": rejected("a zip archive", archive, "it is a zip archive"),
    "rejected_deep": rejected("lists 100 000 deep", deep, "nested too deeply"),
    "rejected_too_large": rejected(
        "2.4 MB of code", lambda: saved(notebook("x = 1\n" * 400_000)), "its code is larger than 2 MiB"
    ),
}
