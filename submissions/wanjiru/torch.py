"""Notes to self: what I need from torch. Do not import!

nn.Linear(in, out)      y = x W^T + b
softmax(x, dim=-1)      sums to 1 along dim
masked_fill(mask, val)  where mask is True
"""

raise ImportError("this is my cheat sheet, not the library")
