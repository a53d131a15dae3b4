"""Which grader and which torch made a verdict: part of every attempt's key."""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path

import grader


def torch_version() -> str:
    """The installed torch, without importing it and without the build tag: `2.13.0`."""
    return metadata.version("torch").partition("+")[0]


@functools.cache
def grader_digest() -> str:
    """SHA-256 over the grader's own source files: a change to them may change verdicts."""
    root = Path(grader.__file__).parent
    digest = hashlib.sha256(grader.__version__.encode())
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
