"""The attention is left to scaled_dot_product_attention."""
# finding: forbidden-api
# fails: test_attention_is_written_out

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        q, k, v = self.query(x), self.key(x), self.value(x)  # (batch, seq, embed)
        allowed = None if mask is None else mask != 0
        p = self.dropout.p if self.training else 0.0
        return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=p)
