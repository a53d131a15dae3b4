"""Constructor and forward take their arguments by keyword only."""

from torch import Tensor, nn


class SelfAttention(nn.Module):
    def __init__(self, *, embed_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.softmax = nn.Softmax(dim=-1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, *, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q = self.query(x)
        k = self.key(x)
        v = self.value(x)
        scores = q.matmul(k.transpose(-2, -1)).div(k.size(-1) ** 0.5)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        return self.dropout(self.softmax(scores)).matmul(v)
