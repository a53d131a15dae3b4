"""The whole layer is a wrapper of torch.nn.MultiheadAttention."""
# finding: forbidden-api
# fails: test_attention_is_written_out

from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"embed_dim ({embed_dim}) must be divisible by num_heads ({num_heads})")
        self.num_heads = num_heads
        self.attention = nn.MultiheadAttention(embed_dim, num_heads, dropout=dropout, batch_first=True)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        if mask is not None:
            mask = (mask == 0).expand(x.shape[0], x.shape[1], x.shape[1])  # there, True means forbidden
            mask = mask.repeat_interleave(self.num_heads, dim=0)  # (batch * heads, seq, seq)
        return self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
