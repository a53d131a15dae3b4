"""Correct attention that no style writes: other layers, other axes, other loops."""

from __future__ import annotations

IMPORTS = "import math\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
HEADER = """class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0
        self.num_heads = num_heads
        self.dropout = nn.Dropout(dropout)"""
FOUR = """
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
"""

SOURCES = {
    "clones and a function": f"""{IMPORTS}def attention(query, key, value, mask=None, dropout=None):
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(query.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -1e9)
    weights = scores.softmax(dim=-1)
    if dropout is not None:
        weights = dropout(weights)
    return torch.matmul(weights, value), weights


{HEADER}
        self.linears = nn.ModuleList([nn.Linear(embed_dim, embed_dim) for _ in range(4)])
        self.weights = None

    def forward(self, x, mask=None):
        if mask is not None and mask.dim() == 3:
            mask = mask.unsqueeze(1)
        batch = x.size(0)
        query, key, value = [
            layer(x).view(batch, -1, self.num_heads, x.size(-1) // self.num_heads).transpose(1, 2)
            for layer in self.linears[:3]
        ]
        result, self.weights = attention(query, key, value, mask, self.dropout)
        return self.linears[-1](result.transpose(1, 2).contiguous().view(batch, -1, x.size(-1)))
""",
    "one reshape for q, k and v": f"""{IMPORTS}{HEADER}
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=False)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.num_heads, c // self.num_heads).permute(2, 0, 3, 1, 4)
        attention = (q * (c // self.num_heads) ** -0.5) @ k.transpose(-2, -1)
        if mask is not None:
            attention = attention.masked_fill(mask.unsqueeze(-3) == 0, float("-inf"))
        attention = self.dropout(attention.softmax(dim=-1))
        return self.proj((attention @ v).transpose(1, 2).reshape(b, n, c))
""",
    "the library's module": f"""{IMPORTS}class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.inner = nn.MultiheadAttention(embed_dim, num_heads, dropout=dropout, batch_first=True)

    def forward(self, x, mask=None):
        if mask is not None:
            mask = (mask == 0).expand(x.shape[0], x.shape[1], x.shape[1])
            mask = mask.repeat_interleave(self.inner.num_heads, dim=0)
        return self.inner(x, x, x, attn_mask=mask, need_weights=False)[0]
""",
    "the library's function": f"""{IMPORTS}{HEADER}{FOUR}
    def forward(self, x, mask=None):
        q, k, v = (
            layer(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        allowed = None if mask is None else mask.bool().unsqueeze(-3)
        rate = self.dropout.p if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=rate)
        return self.output(mixed.transpose(1, 2).flatten(2))
""",
    "convolutions of width one": f"""{IMPORTS}{HEADER}
        self.qkv = nn.Conv1d(embed_dim, 3 * embed_dim, kernel_size=1)
        self.out = nn.Conv1d(embed_dim, embed_dim, kernel_size=1)

    def forward(self, x, mask=None):
        q, k, v = self.qkv(x.transpose(1, 2)).chunk(3, dim=1)
        q, k, v = (t.unflatten(1, (self.num_heads, -1)) for t in (q, k, v))
        scores = q.transpose(2, 3) @ k / math.sqrt(q.shape[2])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        weights = self.dropout(torch.softmax(scores, dim=-1))
        return self.out((v @ weights.transpose(2, 3)).flatten(1, 2)).transpose(1, 2)
""",
    "one query after the other": f"""{IMPORTS}{HEADER}{FOUR}
    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q, k, v = (layer(x).view(batch, seq, self.num_heads, -1) for layer in (self.query, self.key, self.value))
        mask = None if mask is None else mask.expand(batch, seq, seq)
        rows = []
        for i in range(seq):
            scores = (k * q[:, i : i + 1]).sum(dim=-1) / math.sqrt(q.shape[-1])
            if mask is not None:
                scores = scores.masked_fill(mask[:, i].unsqueeze(-1) == 0, -math.inf)
            weights = self.dropout(torch.softmax(scores, dim=1))
            rows.append((weights.unsqueeze(-1) * v).sum(dim=1).flatten(1))
        return self.output(torch.stack(rows, dim=1))
""",
    "an output projection for every head": f"""{IMPORTS}class Head(nn.Module):
    def __init__(self, embed_dim, head_dim, dropout):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.q = nn.Linear(embed_dim, head_dim, bias=False)
        self.k = nn.Linear(embed_dim, head_dim, bias=False)
        self.v = nn.Linear(embed_dim, head_dim, bias=False)
        self.o = nn.Linear(head_dim, embed_dim, bias=False)

    def forward(self, x, mask):
        scores = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(self.q.out_features)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.o(self.dropout(torch.softmax(scores, dim=-1)) @ self.v(x))


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.heads = nn.ModuleList([Head(embed_dim, embed_dim // num_heads, dropout) for _ in range(num_heads)])
        self.bias = nn.Parameter(torch.zeros(embed_dim))

    def forward(self, x, mask=None):
        return sum(head(x, mask) for head in self.heads) + self.bias
""",
    "sequence first inside": f"""{IMPORTS}{HEADER}{FOUR}
    def forward(self, x, mask=None):
        x = x.transpose(0, 1)
        seq, batch, embed = x.shape
        q, k, v = (layer(x).view(seq, batch, self.num_heads, -1) for layer in (self.query, self.key, self.value))
        scores = torch.einsum("ibhd,jbhd->ijbh", q, k) * q.shape[-1] ** -0.5
        if mask is not None:
            allowed = mask.expand(batch, seq, seq).permute(1, 2, 0).unsqueeze(-1)
            scores = scores.masked_fill(allowed == 0, float("-inf"))
        weights = self.dropout(F.softmax(scores, dim=1))
        mixed = torch.einsum("ijbh,jbhd->ibhd", weights, v).reshape(seq, batch, embed)
        return self.output(mixed).transpose(0, 1)
""",
    "keys before queries": f"""{IMPORTS}{HEADER}{FOUR}
    def forward(self, x, mask=None):
        q, k, v = (
            layer(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = k @ q.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.transpose(-2, -1).unsqueeze(-3) == 0, -math.inf)
        weights = torch.softmax(scores, dim=-2).transpose(-2, -1)
        return self.output((self.dropout(weights) @ v).transpose(1, 2).flatten(2))
""",
    "result and weights": f"""{IMPORTS}{HEADER}
        self.projections = nn.ModuleDict({{role: nn.Linear(embed_dim, embed_dim) for role in "qkvo"}})

    def forward(self, x, mask=None):
        q, k, v = (torch.stack(self.projections[role](x).chunk(self.num_heads, -1), 1) for role in "qkv")
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            scores = torch.where(mask.unsqueeze(-3) != 0, scores, -math.inf)
        weights = torch.softmax(scores, -1)
        return self.projections["o"](torch.cat((self.dropout(weights) @ v).unbind(1), -1)), weights
""",
    "all weights in one parameter": f"""{IMPORTS}{HEADER}
        self.weight = nn.Parameter(torch.randn(4, embed_dim, embed_dim) / math.sqrt(embed_dim))
        self.bias = nn.Parameter(torch.zeros(4, embed_dim))

    def forward(self, x, mask=None):
        q, k, v = (
            F.linear(x, self.weight[i], self.bias[i]).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for i in range(3)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        mixed = self.dropout(scores.softmax(-1)) @ v
        return F.linear(mixed.transpose(1, 2).flatten(2), self.weight[3], self.bias[3])
""",
    "softmax in float32": f"""{IMPORTS}{HEADER}{FOUR}
    def forward(self, x, mask=None):
        q, k, v = (
            layer(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(-2, -1) * (1.0 / torch.sqrt(torch.tensor(q.shape[-1], dtype=torch.float32)))
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, torch.finfo(scores.dtype).min)
        return self.output((self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).flatten(2))
""",
    "lazy layers": f"""{IMPORTS}{HEADER}
        self.w_q = nn.LazyLinear(embed_dim)
        self.w_k = nn.LazyLinear(embed_dim)
        self.w_v = nn.LazyLinear(embed_dim)
        self.w_o = nn.LazyLinear(embed_dim)

    def forward(self, x, mask=None):
        b, t, e = x.shape
        layers = (self.w_q, self.w_k, self.w_v)
        q, k, v = (layer(x).reshape(b, t, self.num_heads, -1).transpose(1, 2) for layer in layers)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        return self.w_o((self.dropout(torch.softmax(scores, dim=-1)) @ v).transpose(1, 2).reshape(b, t, e))
""",
    "one head, returns a pair": f"""{IMPORTS}class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.k = nn.Linear(embed_dim, embed_dim, bias=False)
        self.q = nn.Linear(embed_dim, embed_dim, bias=False)
        self.v = nn.Linear(embed_dim, embed_dim, bias=False)

    def forward(self, x, mask=None):
        scores = torch.einsum("bqe,bke->bqk", self.q(x), self.k(x)) / x.shape[-1] ** 0.5
        if mask is not None:
            scores = scores + torch.where(mask == 0, float("-inf"), 0.0)
        weights = torch.exp(scores - torch.logsumexp(scores, dim=-1, keepdim=True))
        return self.drop(weights) @ self.v(x), weights
""",
}
