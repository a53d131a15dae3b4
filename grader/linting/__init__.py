"""Proving an assignment before students see it: its solutions, its checks, and mutants of its reference."""
