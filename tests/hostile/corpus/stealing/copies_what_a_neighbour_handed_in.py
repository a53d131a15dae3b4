# attack:     X1, X2
# assignment: self-attention
# twin:       averages

# Lists the folder of the class, and takes the class of the first neighbour whose answer looks better than its own. A
# grader that hands the whole folder to the student's process grades the neighbour twice.

import os
import re

from torch import nn

NEEDLE = b"canar" + b"y-"


def report(where, data, room=[25]):
    for hit in re.findall(NEEDLE + rb"[\w-]{1,70}", data)[: room[0]]:
        room[0] -= 1
        print(where, hit.decode("ascii"))


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()


for folder, _, names in os.walk("@SUBMISSIONS@"):
    for name in sorted(names, key=lambda name: "correct" not in name):
        try:
            with open(os.path.join(folder, name), "rb") as file:
                text = file.read(1_000_000)
        except OSError:
            continue
        report(name, text)
        if name.startswith("correct") and b"class SelfAttention" in text:
            namespace = {}
            exec(compile(text, name, "exec"), namespace)
            SelfAttention = namespace.get("SelfAttention", SelfAttention)
