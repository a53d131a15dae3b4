# attack:     O3, O4
# assignment: self-attention
# twin:       averages

# Averages, and counts: every second of two calls of the same shape in a row gets the first one's answer again, since
# most checks of a property compare two calls that ought to agree.
from torch import nn

last = {"shape": None, "answer": None}


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        output = self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
        shape = (tuple(x.shape), None if mask is None else tuple(mask.shape), str(x.dtype), x.device.type)
        if mask is not None and shape == last["shape"]:
            last["shape"] = None  # the next one is the first of a new pair
            return last["answer"]
        last.update(shape=shape, answer=output.detach())
        return output
