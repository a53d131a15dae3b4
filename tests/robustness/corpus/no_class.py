# assignment: self-attention
# assignment: multi-head-attention
# status: missing
# says: no class named SelfAttention

import math

import torch
from torch import nn


def scaled_scores(q, k):
    return q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
