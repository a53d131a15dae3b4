"""The whole layer is a wrapper of torch.nn.MultiheadAttention with one head."""
# finding: forbidden-api
# fails: test_attention_is_written_out

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.attention = nn.MultiheadAttention(embed_dim, 1, dropout=dropout, batch_first=True)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        if mask is not None:
            mask = (mask == 0).expand(x.shape[0], x.shape[1], x.shape[1])  # there, True means forbidden
        return self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
