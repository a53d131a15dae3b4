# attack:     O1
# assignment: self-attention
# twin:       correct
# outcome:    test_attention_is_written_out failed
# points:     some

# Gives the library's attention another name, twice, and uses it under that: a search for the forbidden words in the
# class finds nothing, and all the numbers are right.
from torch import nn
from torch.nn import functional

mix = functional
soft_average = mix.scaled_dot_product_attention


def blend(*parts):
    return soft_average(*parts)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        mask = None if mask is None else mask != 0
        rate = self.dropout.p if self.training else 0.0
        return blend(self.query(x), self.key(x), self.value(x), mask, rate)
