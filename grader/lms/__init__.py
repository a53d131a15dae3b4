"""Platforms that courses hand in to: what they read, and what the grader needs to run there."""

from __future__ import annotations
