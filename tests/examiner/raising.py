"""Small modules that raise, or return the wrong shape, and what is noted about them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from grader.attention import causal_mask, draw_tokens
from grader.checks.asserting import Failed
from grader.checks.faults import Fault
from grader.examiner.explaining import Notebook
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.examiner.student import Student
from grader.model import Contract, Finding, Limits, Match

SINGLE = Contract(construct="embed_dim, dropout=0.0", call="x, mask=None")
SEVERAL = Contract(construct="embed_dim, num_heads, dropout=0.0", call="x, mask=None")
IMPORTS = "import math\nimport numpy as np\nimport torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"

FUSED = """class M(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q = self.query(x).view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2)
        k = self.key(x).view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2)
        v = self.value(x).view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        weights = torch.softmax(scores, dim=-1)
        heads = weights @ v
        merged = heads.transpose(1, 2).reshape(batch, seq, embed)
        return self.output(merged)
"""
"""Multi-head self-attention with all heads in one layer. It is right; each test changes something."""

SEPARATE = """class M(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.query = nn.ModuleList([nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads)])
        self.key = nn.ModuleList([nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads)])
        self.value = nn.ModuleList([nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads)])
        self.output = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        heads = []
        for query, key, value in zip(self.query, self.key, self.value):
            q, k, v = query(x), key(x), value(x)
            scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -math.inf)
            head = torch.softmax(scores, dim=-1) @ v
            heads.append(head)
        joined = torch.cat(heads, dim=-1)
        return self.output(joined)
"""
"""The same with layers of their own for each head."""

NESTED = """class Head(nn.Module):
    def __init__(self, embed_dim, head_dim):
        super().__init__()
        self.query = nn.Linear(embed_dim, head_dim)
        self.key = nn.Linear(embed_dim, head_dim)
        self.value = nn.Linear(embed_dim, head_dim)

    def forward(self, tokens, mask=None):
        q, k, v = self.query(tokens), self.key(tokens), self.value(tokens)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return torch.softmax(scores, dim=-1) @ v


class M(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.heads = nn.ModuleList([Head(embed_dim, embed_dim // num_heads) for _ in range(num_heads)])
        self.output = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        outputs = []
        for head in self.heads:
            outputs.append(head(x, mask))
        return self.output(torch.cat(outputs, dim=-1))
"""
"""The same with a module for each head."""

ALONE = """class M(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = torch.softmax(scores, dim=-1)
        return weights @ v
"""
"""Self-attention with a single head."""

RIGHT = {"fused": FUSED, "separate": SEPARATE, "nested": NESTED, "alone": ALONE}


def changed(style: str, *changes: tuple[str, str]) -> str:
    """One of the right modules with texts replaced; each text must be there."""
    source = RIGHT[style]
    for old, new in changes:
        assert old in source, f"{old!r} is not in {style}"
        source = source.replace(old, new)
    return IMPORTS + source


@dataclass(frozen=True)
class Noted:
    """What was noted of a module: `error` is what it raised, `remark` what was said about what has no name."""

    error: BaseException | None
    findings: tuple[Finding, ...]
    remark: str
    session: Session

    @property
    def ids(self) -> list[str]:
        return [finding.id for finding in self.findings]

    @property
    def line(self) -> str:
        (found,) = self.findings
        return found.where.source if found.where else ""


def noted(folder: Path, source: str, *shapes: tuple[int, int], masked: bool = False, slopes: bool = False) -> Noted:
    """Build the module and call it like this, and note what it raises; the first call is (2, 5) anyway."""
    contract = SEVERAL if "num_heads" in source else SINGLE
    session = opened(folder, source)
    notebook, remark, error = Notebook(), "", None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            use(session, contract, shapes, masked=masked, slopes=slopes)
        except (Fault, Failed) as raised:
            error = raised
            remark = notebook.note("test_it.py::test_it", raised, session, contract)
    return Noted(error, notebook.findings(), remark, session)


def opened(folder: Path, source: str) -> Session:
    """A session about a module in this process."""
    file = folder / "handed_in.py"
    file.write_text(source, encoding="utf-8")
    match = Match(file=str(file), target="M")
    return Session(InProcess(file), match, Limits(seconds=600, check_seconds=60), seed=0)


def use(
    session: Session, contract: Contract, shapes: tuple[tuple[int, int], ...], *, masked: bool, slopes: bool
) -> None:
    generator = torch.Generator().manual_seed(1)
    config = {"embed_dim": 24} if contract is SINGLE else {"embed_dim": 24, "num_heads": 4}
    session.begin_check()
    attention = Student(session, contract, generator)(**config)
    if not attention.batched:
        raise Failed("It takes one sample only.", finding="unbatched-only")
    for batch, seq in shapes or ((3, 5),):
        x = draw_tokens(batch, seq, 24, generator)
        attention(x, causal_mask(seq).expand(batch, seq, seq) if masked else None)
        if slopes:
            attention.slopes(x, torch.ones(1, *x.shape))
