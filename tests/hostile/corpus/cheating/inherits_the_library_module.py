# attack:     O1
# assignment: multi-head-attention
# twin:       correct_multi_head
# outcome:    test_attention_is_written_out failed

# Is the library's module under the assignment's name: a subclass with a method of its own that hands everything on.
from torch import nn

Base = nn.MultiheadAttention


class MultiHeadSelfAttention(Base):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        if embed_dim % num_heads:
            raise ValueError("embed_dim must be divisible by num_heads")
        super().__init__(embed_dim, num_heads, dropout=dropout, batch_first=True)

    def forward(self, x, mask=None):
        if mask is not None:
            mask = (mask == 0).expand(x.shape[0], x.shape[1], x.shape[1]).repeat_interleave(self.num_heads, dim=0)
        return super().forward(x, x, x, attn_mask=mask, need_weights=False)[0]
