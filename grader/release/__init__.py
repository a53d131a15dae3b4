"""What students get: the handout, a starter to fill in, the public checks, and not a line more."""

from __future__ import annotations

from grader.release.pack import PACKAGE, Pack, build

__all__ = ["PACKAGE", "Pack", "build"]
