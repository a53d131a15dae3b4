# attack:     X1, F13
# assignment: self-attention
# twin:       averages

# Reads the reference solution and replaces its own wrong class with it. Where the worker sees the checkout this earns
# full marks without a line of attention.

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()


for path in ("@SOLUTIONS@/self-attention/reference.py", "@REPOSITORY@/solutions/self-attention/reference.py"):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        print(text[:2000])
        exec(compile(text, path, "exec"))
    except OSError as error:
        print(error.strerror)
