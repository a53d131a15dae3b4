# attack:     X18
# assignment: self-attention
# twin:       averages
# link:       hint.py -> @SOLUTIONS@/self-attention/reference.py
# link:       checks.py -> @ASSIGNMENTS@/self-attention/checks/test_masking.py

# Hands in a folder in which hint.py is a link to the solution and checks.py one to a hidden check. A grader that
# follows links when it copies the folder brings them into the student's room, or into the report.

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


for name in ("hint.py", "checks.py"):
    try:
        with open(os.path.join(os.path.dirname(__file__), name), "rb") as file:
            report(name, file.read())
    except OSError as error:
        print(name, error.strerror)
for name in ("hint", "checks"):
    try:
        module = __import__(name)
        print("imported", name, [word for word in dir(module) if word.startswith(("Self", "test_"))])
        SelfAttention = getattr(module, "SelfAttention", SelfAttention)
    except ImportError as error:
        print(error)
