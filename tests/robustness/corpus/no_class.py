# assignment: self-attention
# assignment: multi-head-attention
# status: missing
# says: no class named SelfAttention

import math

import torch
from torch import nn


def attention(q, k, v):
    return torch.softmax(q @ k.transpose(-2, -1), dim=-1) @ v
