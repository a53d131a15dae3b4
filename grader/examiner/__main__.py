"""The examiner's warm process: `python -I -m grader.examiner CONTROL_FD`, started by the host."""

from __future__ import annotations

import socket
import sys

import torch

from grader.examiner.host import run

if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(run(socket.socket(fileno=int(sys.argv[1]))))
