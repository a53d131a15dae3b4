# assignment: self-attention
# assignment: multi-head-attention
# status: missing
# says: the files define: Transformer

import math

import torch
from torch import nn


class Transformer(nn.Module):
    pass
