"""Imports that are easily forgotten: which names nearly always come from one, and which one that is.

A notebook hides a forgotten import, because some other cell, or yesterday's session, has made it. Alone, the code then
fails at the first line that uses the name, and every check with it. What is told here is what to supply for a second
look.
"""

from __future__ import annotations

import re
from typing import Final

WELL_KNOWN: Final[dict[str, str]] = {
    "torch": "import torch",
    "nn": "from torch import nn",
    "F": "import torch.nn.functional as F",
    "optim": "from torch import optim",
    "Tensor": "from torch import Tensor",
    "np": "import numpy as np",
    "numpy": "import numpy",
    "plt": "import matplotlib.pyplot as plt",
    "math": "import math",
    "sqrt": "from math import sqrt",
    "random": "import random",
    "os": "import os",
    "sys": "import sys",
    "time": "import time",
    "json": "import json",
    "copy": "import copy",
    "deepcopy": "from copy import deepcopy",
    "functools": "import functools",
    "partial": "from functools import partial",
    "itertools": "import itertools",
    "collections": "import collections",
    "OrderedDict": "from collections import OrderedDict",
    "defaultdict": "from collections import defaultdict",
    "dataclass": "from dataclasses import dataclass",
    "typing": "import typing",
    "Any": "from typing import Any",
    "Callable": "from typing import Callable",
    "Dict": "from typing import Dict",
    "List": "from typing import List",
    "Optional": "from typing import Optional",
    "Tuple": "from typing import Tuple",
    "Union": "from typing import Union",
}
"""The import statement that usually binds a name. Each works wherever the grader is installed."""

UNAVAILABLE: Final = frozenset({"einops"})
"""Names that are nearly always an import as well, of what is not installed with the grader: named, not supplied."""

UNDEFINED: Final = {
    "NameError": re.compile(r"name '(\w+)' is not defined"),
    "NotFound": re.compile(r"NameError: name '(\w+)' is not defined"),
}
"""How an undefined name is told, by the exception's type: by itself, or among the problems of a file."""


def undefined(type: str, text: str) -> tuple[str, ...]:
    """The names that an exception of this type and text says are not defined, in its order."""
    pattern = UNDEFINED.get(type)
    return tuple(dict.fromkeys(pattern.findall(text))) if pattern else ()


def forgotten(type: str, text: str) -> str | None:
    """The import statement whose lack an exception of this type and text tells of, or `None` when it is of another.

    Where a file has several problems it is the first such statement. A name that the student's code defines, too late
    or elsewhere, looks just the same from here.
    """
    return next((WELL_KNOWN[name] for name in undefined(type, text) if name in WELL_KNOWN), None)


def is_import(name: str) -> bool:
    """Whether an undefined name nearly always means a missing import, whether or not that can be supplied."""
    return name in WELL_KNOWN or name in UNAVAILABLE
