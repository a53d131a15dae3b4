# Übung 5: Aufmerksamkeit (multi-head)
# Abgabe von Ulrike

import torch
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if d_model % n_heads != 0:
            raise ValueError("d_model muss durch n_heads teilbar sein")
        self.köpfe = n_heads
        self.größe = d_model // n_heads
        self.frage = nn.Linear(d_model, d_model, bias=False)
        self.schlüssel = nn.Linear(d_model, d_model, bias=False)
        self.wert = nn.Linear(d_model, d_model, bias=False)
        self.ausgabe = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def aufteilen(self, t):
        # (batch, länge, d_model) -> (batch, köpfe, länge, größe)
        return t.unflatten(-1, (self.köpfe, self.größe)).transpose(1, 2)

    def forward(self, x, mask=None):
        q = self.aufteilen(self.frage(x))
        k = self.aufteilen(self.schlüssel(x))
        v = self.aufteilen(self.wert(x))
        punkte = torch.einsum("bhid,bhjd->bhij", q, k) / self.größe**0.5
        if mask is not None:
            punkte = punkte.masked_fill((mask == 0).unsqueeze(-3), float("-inf"))
        gewichte = self.dropout(punkte.softmax(dim=-1))
        return self.ausgabe(torch.einsum("bhij,bhjd->bihd", gewichte, v).flatten(2))


print("Form der Ausgabe:", tuple(MultiHeadAttention(24, 4)(torch.randn(3, 7, 24)).shape))
