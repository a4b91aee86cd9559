"""Whole training steps of language models and of a translation model, written as PyTorch's users write them."""

from __future__ import annotations

from typing import Any

from .cases import Maker, training_step

VOCAB = 65


def char_lstm(t: Any) -> Any:
    """Embedding 64, an LSTM of 256 units, logits of 65 characters."""

    class CharLSTM(t.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = t.nn.Embedding(VOCAB, 64)
            self.lstm = t.nn.LSTM(64, 256, batch_first=True)
            self.head = t.nn.Linear(256, VOCAB)

        def forward(self, ids: Any) -> Any:
            y, _ = self.lstm(self.embedding(ids))
            return self.head(y).flatten(0, 1)

    return CharLSTM()


def gpt(t: Any) -> Any:
    """Four blocks of 128 features and 4 heads, norms first, tanh-GELU, the head tied to the embedding."""
    nn, F = t.nn, t.nn.functional

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(128), nn.LayerNorm(128)
            self.qkv, self.project = nn.Linear(128, 384), nn.Linear(128, 128)
            self.up, self.down = nn.Linear(128, 512), nn.Linear(512, 128)

        def forward(self, x: Any) -> Any:
            n, length, e = x.shape
            q, k, v = (p.reshape(n, length, 4, 32).transpose(1, 2) for p in self.qkv(self.norm1(x)).chunk(3, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.project(y.transpose(1, 2).reshape(n, length, e))
            return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    class GPT(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.positions = nn.Embedding(VOCAB, 128), nn.Embedding(128, 128)
            self.blocks = nn.ModuleList([Block() for _ in range(4)])
            self.norm = nn.LayerNorm(128)

        def forward(self, ids: Any) -> Any:
            x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
            for block in self.blocks:
                x = block(x)
            return F.linear(self.norm(x), self.tokens.weight).flatten(0, 1)

    return GPT()


def translator(t: Any) -> Any:
    """nn.Transformer of 2 + 2 layers, 256 features, 4 heads, with 2,000 words on both sides."""
    nn = t.nn

    class Translator(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.source, self.target = nn.Embedding(2000, 256), nn.Embedding(2000, 256)
            self.transformer = nn.Transformer(256, 4, 2, 2, 512, dropout=0.0, batch_first=True)
            self.head = nn.Linear(256, 2000)

        def forward(self, pair: Any) -> Any:
            source, target = pair
            later = t.ones(target.shape[1], target.shape[1], dtype=t.bool).triu(1)
            y = self.transformer(self.source(source), self.target(target), tgt_mask=later, tgt_is_causal=True)
            return self.head(y).flatten(0, 1)

    return Translator()


def tokens(batch: int, length: int, vocab: int = VOCAB) -> Any:
    """Ids, and what comes next."""

    def make(m: Maker) -> tuple[Any, Any]:
        return m.integers(vocab, batch, length), m.integers(vocab, batch * length)

    return make


def pairs(m: Maker) -> tuple[Any, Any]:
    """Sources, targets, and what comes next in the targets."""
    return (m.integers(2000, 32, 16), m.integers(2000, 32, 15)), m.integers(2000, 32 * 15)


CASES = [
    training_step("char LSTM b32 T64", char_lstm, tokens(32, 64), samples=32, quick=True),
    training_step("GPT 4×128 b16 T128", gpt, tokens(16, 128), samples=16),
    training_step("Transformer 2+2×256 b32", translator, pairs, samples=32),
]
