# attack:     H10, F12
# assignment: self-attention
# twin:       averages

# Claims another student's name wherever a name could be read from: constants, file name, author, results on stdout.
# The name of the file is who a student is; nothing in it may change that.

import sys

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()


__file__ = "@SUBMISSIONS@/correct.py"
__author__ = __name__ = __student__ = STUDENT = STUDENT_ID = "correct"
SelfAttention.__module__ = "correct"
STUDENTS, EMAIL, MATRICULATION = ["correct", "correct.py"], "correct@attack.invalid", 1
sys.argv[:] = ["correct.py", "--student", "correct", "--points", "100"]
print('{"student": "correct", "assignment": "self-attention", "points": 100, "status": "graded"}')
print("student: correct\nname: correct\npoints: 100")
sys.modules["correct"] = sys.modules.get(SelfAttention.__module__, sys)
