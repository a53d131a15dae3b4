"""Which files of a submission are looked at, and why the others are not: by their names and kinds alone."""

from __future__ import annotations

import sys
from pathlib import PurePosixPath

from grader.submissions.nodes import NO_FILE, Kind, Node

NOTEBOOK = ".ipynb"
GRADED = frozenset({".py", NOTEBOOK})
ARCHIVES = frozenset(
    {".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".7z", ".rar"}
)

_BACKUPS = (".bak", ".orig", ".rej", ".swp", ".swo", ".tmp", "~", "#")
_CONFIGURATION = frozenset(
    {"conftest.py", "sitecustomize.py", "usercustomize.py"}
    | {"pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "pyvenv.cfg"}
)
_FOREIGN_FOLDERS = frozenset({"__pycache__", "__MACOSX", "node_modules", "site-packages"})
_LIBRARIES = frozenset(
    {"torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "matplotlib", "einops", "sklearn"}
    | {"pytest", "_pytest", "pluggy", "grader", "msgspec", "IPython", "ipykernel", "jupyter_client", "zmq"}
    | {"nbformat", "nbclient", "traitlets", "tornado", "pip", "setuptools", "pkg_resources"}
)
_TAKEN = sys.stdlib_module_names | _LIBRARIES
_HIDDEN = "hidden by its name"


def suffix(name: str) -> str:
    """Return the last suffix of a name, in small letters."""
    return PurePosixPath(name).suffix.lower()


def stem(name: str) -> str:
    """Return a name without its suffix; `ada.tar.gz` has one suffix of two parts."""
    first = PurePosixPath(name).stem
    is_tar = suffix(name) in ARCHIVES and suffix(first) == ".tar"
    return PurePosixPath(first).stem if is_tar else first


def is_archive(node: Node) -> bool:
    """Whether a file is called like an archive; what it is says its content."""
    return node.kind is Kind.FILE and suffix(node.name) in ARCHIVES and not why_passed_over(node.name)


def is_configuration(name: str) -> bool:
    """Whether a tool would obey a file of this name."""
    return name.lower() in _CONFIGURATION or suffix(name) == ".pth"


def why_passed_over(name: str) -> str:
    """Why nobody looks at what is called so, be it a folder or a file; empty when somebody does."""
    if name.startswith("."):
        return _HIDDEN
    return "a folder of other people's code" if name in _FOREIGN_FOLDERS else ""


def why_no_folder(name: str, holds: set[str], depth: int) -> str:
    """Why a folder is not looked into; empty when it is to be."""
    if "pyvenv.cfg" in holds:
        return "a virtual environment"
    return why_taken(name) if depth == 1 and "__init__.py" in holds else ""


def why_no_file(node: Node) -> str:
    """Why a file or an odd folder is not looked at; empty when it is to be read."""
    name = node.name
    if node.kind is Kind.LINK:
        return "a link; links are not followed"
    if node.kind is Kind.FOLDER:
        return why_passed_over(name)
    if node.kind is not Kind.FILE:
        return NO_FILE
    if name.startswith("."):
        return _HIDDEN
    if name.lower().endswith(_BACKUPS):
        return "an editor's backup"
    if is_configuration(name):
        return "configuration of a tool, which is never obeyed"
    if suffix(name) in ARCHIVES:
        return "an archive; it is not looked into beside files that can be graded"
    if suffix(name) not in GRADED:
        return "only .py and .ipynb files are graded"
    return ""


def why_taken(name: str) -> str:
    """Why a module may not be called so; a notebook may, since nobody imports it."""
    module = PurePosixPath(name).stem
    taken = module in _TAKEN and suffix(name) != NOTEBOOK
    return f"{module} is the name of a module of Python or of a library; give it another" if taken else ""
