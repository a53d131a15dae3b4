# assignment: self-attention
# loading: nothing
# points: none
# outcome: test_builds errored
# says: attention is not a class

import math

import torch
from torch import nn


def attention(q, k, v):
    return torch.softmax(q @ k.transpose(-2, -1), dim=-1) @ v
