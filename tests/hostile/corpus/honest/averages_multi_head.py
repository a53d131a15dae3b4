# assignment: multi-head-attention
# outcome:    test_matches_the_reference failed
# outcome:    test_rejects_indivisible_sizes failed
# points:     some

# Attacks nothing: plain averages of the values, projected. Scores, masks, heads and sizes are not looked at.
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.output(self.value(x).mean(dim=1, keepdim=True).expand(x.shape))
