import torch


def normalise(scores):
    return torch.softmax(scores, dim=-1)


print(normalise(torch.randn(3)) @ torch.randn(4))
