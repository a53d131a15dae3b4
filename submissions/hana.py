import torch
import torch.nn as nn
import torch.nn.functional as F


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, row_dim=0, col_dim=1):
        super().__init__()
        torch.manual_seed(42)  # so that I always get the numbers from my notes

        self.wq = nn.Linear(embed_dim, embed_dim, bias=False)
        self.wk = nn.Linear(embed_dim, embed_dim, bias=False)
        self.wv = nn.Linear(embed_dim, embed_dim, bias=False)

        self.row_dim = row_dim
        self.col_dim = col_dim

    def forward(self, tokens):
        # tokens: one row per word
        q = self.wq(tokens)
        k = self.wk(tokens)
        v = self.wv(tokens)

        similarity = q @ k.T
        similarity = similarity / k.size(self.col_dim) ** 0.5
        percentages = F.softmax(similarity, dim=1)
        return percentages @ v


# three words, two numbers per word
words = torch.tensor([[0.4, -1.2], [2.1, 0.3], [-0.7, 0.9]])
sa = SelfAttention(embed_dim=2)
print(sa(words))
