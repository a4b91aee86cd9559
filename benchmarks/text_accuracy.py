"""Do models on text learn as well as the same PyTorch programs, and how long do both take?

    TINYNET_DATA=FOLDER python benchmarks/text_accuracy.py [lstm gpt translate] [--steps N] [--epochs N] [--threads N]

The programs below are written for PyTorch, as its users write them; tinynet trains its own models, as `tinynet train` does.
Both get the same text, the same batches in the same order, and the same sizes; weights are each library's own draw.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tinynet.training import text as training
from tinynet.training.text import TextConfig, language, translation
from tinynet.training.text_metrics import corpus_bleu


class LSTM(nn.Module):
    """A character LSTM."""

    def __init__(self, vocab: int, c: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, c.embedding)
        self.lstm = nn.LSTM(c.embedding, c.hidden, c.layers, batch_first=True)
        self.head = nn.Linear(c.hidden, vocab)

    def forward(self, ids: Any) -> Any:
        return self.head(self.lstm(self.embedding(ids))[0])


class Block(nn.Module):
    """Attention and a network, the norms first."""

    def __init__(self, c: Any) -> None:
        super().__init__()
        self.heads = c.heads
        self.norm1, self.norm2 = nn.LayerNorm(c.hidden), nn.LayerNorm(c.hidden)
        self.qkv, self.project = nn.Linear(c.hidden, 3 * c.hidden), nn.Linear(c.hidden, c.hidden)
        self.up, self.down = nn.Linear(c.hidden, 4 * c.hidden), nn.Linear(4 * c.hidden, c.hidden)

    def forward(self, x: Any) -> Any:
        n, t, e = x.shape
        q, k, v = (p.view(n, t, self.heads, -1).transpose(1, 2) for p in self.qkv(self.norm1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(n, t, e))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """A small GPT with a tied head."""

    def __init__(self, vocab: int, c: Any) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab, c.hidden), nn.Embedding(c.context, c.hidden)
        self.blocks = nn.ModuleList([Block(c) for _ in range(c.layers)])
        self.norm = nn.LayerNorm(c.hidden)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=0.02 / (math.sqrt(2 * c.layers) if "project" in name or "down" in name else 1))
            elif "bias" in name:
                nn.init.zeros_(p)

    def forward(self, ids: Any) -> Any:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)


class Translator(nn.Module):
    """nn.Transformer with embeddings, sinusoidal positions and a head."""

    def __init__(self, source: int, target: int, c: Any, pad: int) -> None:
        super().__init__()
        self.pad, self.width = pad, c.hidden
        self.source, self.target = (nn.Embedding(v, c.hidden, padding_idx=pad) for v in (source, target))
        self.transformer = nn.Transformer(
            c.hidden, c.heads, c.layers, c.layers, c.feedforward, c.dropout, batch_first=True
        )
        self.head, self.dropout = nn.Linear(c.hidden, target), nn.Dropout(c.dropout)
        nn.init.xavier_uniform_(self.head.weight)
        for table in (self.source, self.target):
            nn.init.normal_(table.weight, std=c.hidden**-0.5)
            nn.init.zeros_(table.weight[pad].detach())
        place = torch.arange(c.longest + 2)[:, None] * torch.exp(
            torch.arange(0, c.hidden, 2) * (-math.log(10000.0) / c.hidden)
        )
        self.register_buffer("code", torch.stack([place.sin(), place.cos()], -1).flatten(1))

    def embed(self, table: Any, ids: Any) -> Any:
        return self.dropout(table(ids) * math.sqrt(self.width) + self.code[: ids.shape[1]])

    def encode(self, source: Any) -> Any:
        return self.transformer.encoder(self.embed(self.source, source), src_key_padding_mask=source == self.pad)

    def decode(self, target: Any, memory: Any, source: Any) -> Any:
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        y = self.transformer.decoder(
            self.embed(self.target, target), memory, tgt_mask=later, memory_key_padding_mask=source == self.pad
        )
        return self.head(y)

    def forward(self, source: Any, target: Any) -> Any:
        return self.decode(target, self.encode(source), source)

    def greedy(self, source: Any, room: int, bos: int, eos: int) -> list[list[int]]:
        memory, ids = self.encode(source), torch.full((len(source), 1), bos)
        for _ in range(room):
            ids = torch.cat([ids, self.decode(ids, memory, source)[:, -1:].argmax(-1)], 1)
            if (ids == eos).any(1).all():
                break
        rows = [row[1:] for row in ids.tolist()]
        return [row[: row.index(eos)] if eos in row else row for row in rows]


def fit(model: Any, optimizer: Any, scheduler: Any, loss: Any, steps: int, clip: float | None) -> float:
    """Train, and return the seconds."""
    start = time.perf_counter()
    model.train()
    for step in range(steps):
        value = loss(step)
        optimizer.zero_grad()
        value.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        scheduler.step()
        print(f"\rPyTorch step {step + 1}/{steps} loss {value.item():.3f}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return time.perf_counter() - start


def torch_of(tensor: Any) -> Any:
    """The same numbers."""
    return torch.from_numpy(tensor.numpy())


def pytorch_language(config: TextConfig) -> tuple[float, float]:
    """Bits per character of the validation part, and seconds."""
    text = language.text_of(config)
    tokenizer = language.train_tokenizer(config, text)
    task = language.Language(config, text, tokenizer)
    torch.manual_seed(config.seed)
    model = (GPT if config.model == "gpt" else LSTM)(len(tokenizer), config)

    def loss(step: int) -> Any:
        inputs, targets = map(torch_of, task.batch(step))
        return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())

    c: Any = config
    optimizer = torch.optim.AdamW(model.parameters(), c.lr, weight_decay=c.weight_decay)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, c.steps)
    seconds = fit(model, optimizer, scheduler, loss, c.steps, c.clip)
    ids, total = torch.from_numpy(task.validation), 0.0
    model.eval()
    with torch.no_grad():
        for i in range(0, len(ids) - 1, c.context):
            part = ids[i : i + c.context + 1][None]
            total += float(F.cross_entropy(model(part[:, :-1])[0], part[0, 1:], reduction="sum"))
    return total / math.log(2) / task.characters, seconds


def pytorch_translation(config: TextConfig) -> tuple[float, float]:
    """BLEU of the validation part, and seconds."""
    train, validation = translation.sentence_pairs(config)
    source, target = translation.train_tokenizers(config, train)
    task = translation.Translation(config, train, validation, (source, target), print)
    torch.manual_seed(config.seed)
    c: Any = config
    model = Translator(len(source), len(target), c, task.pad_id)

    def loss(step: int) -> Any:
        x, y = map(torch_of, task._tensors([task.train[i] for i in task.epochs[step]]))
        logits = model(x, y[:, :-1]).flatten(0, 1)
        return F.cross_entropy(logits, y[:, 1:].flatten(), ignore_index=task.pad_id, label_smoothing=c.label_smoothing)

    steps = c.epochs * task.epochs.steps
    optimizer = torch.optim.Adam(model.parameters(), c.lr, betas=(0.9, 0.98), eps=1e-9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, c.lr, total_steps=steps)
    seconds = fit(model, optimizer, scheduler, loss, steps, c.clip)
    model.eval()
    found: list[str] = []
    with torch.no_grad():
        for i in range(0, len(task.validation), 64):
            x, _ = map(torch_of, task._tensors(task.validation[i : i + 64]))
            rows = model.greedy(x, min(c.longest + 1, 2 * x.shape[1] + 10), task.bos_id, task.eos_id)
            found += [" ".join(target.vocabulary.token(t) for t in row) for row in rows]
    return corpus_bleu(found, [" ".join(target.words(t)) for _, t in validation], tokenize="none"), seconds


def configuration(name: str, data: Path, options: argparse.Namespace) -> TextConfig:
    """What is trained."""
    if name == "translate":
        files = {k: str(data / "multi30k" / v) for k, v in FILES.items()}
        return TextConfig("translate", epochs=options.epochs, **files)  # type: ignore[arg-type]
    model = {"lstm": "char-lstm", "gpt": "gpt"}[name]
    return TextConfig(model, file=str(data / "shakespeare" / "input.txt"), steps=options.steps)


FILES = {"source": "train.de.gz", "target": "train.en.gz", "val_source": "val.de.gz", "val_target": "val.en.gz"}


def main() -> None:
    """Train both, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["lstm", "gpt", "translate"])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep tinynet's runs in this folder")
    options = parser.parse_args()
    data = Path(os.environ["TINYNET_DATA"])
    torch.set_num_threads(options.threads)
    for name in options.names:
        config = configuration(name, data, options)
        config.threads = options.threads
        with tempfile.TemporaryDirectory() as folder:
            run = (options.keep or Path(folder)) / name
            result = training.train_text(config, run, note=print)
            ours = sum(row["seconds"] for row in result.history)
            _, figures = training.evaluate_text_run(run)
        other, theirs = (pytorch_translation if name == "translate" else pytorch_language)(config)
        figure = figures["bleu"] if name == "translate" else figures["bits_per_character"]
        unit = "BLEU" if name == "translate" else "bits per character"
        print(
            f"{name}: tinynet {figure:.3f} {unit} after {ours:.0f} s, PyTorch {other:.3f} after {theirs:.0f} s; "
            f"PyTorch/tinynet {theirs / ours:.2f}; seed {config.seed}, {np.__version__=}"
        )


if __name__ == "__main__":
    main()
