import math

import torch
import torch.nn as nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.q = nn.Linear(embed_dim, embed_dim)
        self.k = nn.Linear(embed_dim, embed_dim)
        self.v = nn.Linear(embed_dim, embed_dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        scores = torch.bmm(self.q(x), self.k(x).transpose(1, 2)) / math.sqrt(x.size(-1))
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        return torch.bmm(self.drop(torch.softmax(scores, dim=-1)), self.v(x))


# can it learn to reverse a sequence? (no positional encoding yet)
model = SelfAttention(32)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

step = 0
while True:  # stop with ctrl+c when the loss looks good
    x = torch.randn(16, 10, 32)
    loss = ((model(x) - x.flip(1)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 500 == 0:
        print(step, loss.item())
    step += 1
