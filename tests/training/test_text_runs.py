"""Runs on text: what they leave behind, the same bits after an interruption, what they refuse."""

import gzip
import json

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn, optim
from tinynet.data.text import CharTokenizer
from tinynet.errors import DataError, OptionError
from tinynet.models import NGram, generate
from tinynet.training import Interrupted
from tinynet.training.steps import StepTrainer
from tinynet.training.text import TextConfig, evaluate_text_run, load_text_run, train_text
from tinynet.training.text.language import Language
from tinynet.training.text.lines import Epochs, parts
from tinynet.training.text.translation import translate

TEXT = "the cat sat on the mat and the dog sat on the log while the cow jumped over the moon\n" * 12
SMALL = {"hidden": 8, "context": 8, "batch_size": 4, "steps": 4, "every": 2}
PAIRS = [("ein hund läuft", "a dog runs"), ("eine katze schläft .", "a cat sleeps ."), ("ein kind", "a child")] * 14


class Line:
    """A task of which everything is known: y = 3x by least squares."""

    def loss(self, model, step):
        x = tn.tensor([[1.0], [step % 3 + 1.0]])
        return nn.functional.mse_loss(model(x), 3 * x)

    def evaluate(self, model):
        assert not model.training
        return {"loss": float((model.weight - 3).abs().item())}


def trainer(folder=None, **options):
    tn.manual_seed(0)
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return StepTrainer(model, optim.SGD(model.parameters(), 0.05, momentum=0.5), Line(), folder=folder, **options)


def test_steps_are_counted_judged_and_clipped():
    one = trainer(every=3)
    history = one.fit(7)
    assert [row["step"] for row in history] == [3, 6, 7]
    assert history[-1]["validation_loss"] < history[0]["validation_loss"] < 3
    assert history[0]["train_loss"] > history[1]["train_loss"]
    assert one.model.training
    assert one.fit(7) == history  # nothing left to do
    clipped = trainer(clip=1e-3, every=3)
    clipped.fit(1)
    assert 0 < clipped.model.weight.item() <= 0.05 * 1e-3 * (1 + 1e-6)


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path):
    whole = trainer(tmp_path, every=4)
    whole.fit(10)
    parts_folder = tmp_path / "parts"
    parts_folder.mkdir()
    first = trainer(parts_folder, every=4)
    plain = first.task.loss
    calls = 0

    def stopping(model, step):
        nonlocal calls
        calls += 1
        first._stop = calls == 6
        return plain(model, step)

    first.task.loss = stopping
    with pytest.raises(Interrupted):
        first.fit(10)
    second = trainer(parts_folder, every=4)
    second.load_checkpoint()
    assert second.step == 6
    second.fit(10)
    assert second.model.weight.item() == whole.model.weight.item()
    strip = [{k: v for k, v in row.items() if "second" not in k} for row in second.history]
    assert strip == [{k: v for k, v in row.items() if "second" not in k} for row in whole.history]


def test_a_loss_that_is_no_number_is_never_the_best(tmp_path):
    one = trainer(tmp_path, every=1)
    one.task.evaluate = lambda model: {"loss": [2.0, float("nan"), 1.0][one.step - 1]}
    one.fit(2)
    assert tn.load(tmp_path / "best.safetensors")["step"] == 1
    one.fit(3)
    assert tn.load(tmp_path / "best.safetensors")["step"] == 3
    assert tn.load(tmp_path / "last.safetensors")["step"] == 3


def write(tmp_path, **contents):
    for name, content in contents.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    return [str(tmp_path / name) for name in contents]


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("char-rnn", {"layers": 2, "dropout": 0.2}),
        ("char-lstm", {}),
        ("char-gru", {"embedding": 8, "tied": True}),
        ("gpt", {"layers": 1, "heads": 2, "dropout": 0.1}),
        ("nnlm", {"order": 3, "direct": True}),
    ],
)
def test_language_models(tmp_path, model, more):
    (file,) = write(tmp_path, text=TEXT)
    config = TextConfig(model, file=file, **SMALL, **more)
    result = train_text(config, tmp_path / "run")
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names == {
        "best.safetensors", "config.json", "curves.png", "last.safetensors", "metrics.jsonl", "tokenizer.json",
    }  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows == result.history
    assert result.best["loss"] == min(row["validation_loss"] for row in rows)
    run, figures = evaluate_text_run(tmp_path / "run")
    assert figures == result.best
    assert figures["perplexity"] == pytest.approx(np.exp(figures["loss"]))
    assert figures["bits_per_character"] == pytest.approx(figures["loss"] / np.log(2))  # a token is a character
    ids = list(generate(run.model, run.tokenizers[0].encode("the "), 5, seed=1))
    assert len(run.tokenizers[0].decode(ids)) == 5
    with pytest.raises(OptionError, match="holds a run already"):
        train_text(config, tmp_path / "run")
    again = train_text(config, tmp_path / "run", resume=True)
    assert again.trained == 0
    assert again.best == result.best


@pytest.mark.parametrize(("tokenizer", "more"), [("word", {"lower": True, "minimum": 2}), ("bpe", {"vocabulary": 280})])
def test_other_tokens(tmp_path, tokenizer, more):
    (file,) = write(tmp_path, text=TEXT)
    config = TextConfig("char-gru", file=file, tokenizer=tokenizer, **SMALL, **more)
    result = train_text(config, tmp_path / "run")
    task = Language(config, TEXT, load_text_run(tmp_path / "run").tokenizers[0])
    nats = result.best["loss"] * (len(task.validation) - 1)
    assert result.best["bits_per_character"] == pytest.approx(nats / np.log(2) / task.characters)


def test_each_validation_token_is_scored_once():
    tokenizer = CharTokenizer.train(TEXT)
    task = Language(TextConfig("nnlm", order=2, **SMALL), TEXT, tokenizer)
    seen = []

    class Uniform(nn.Module):
        def forward(self, ids):
            seen.append(ids.shape)
            return tn.zeros(*ids.shape, len(tokenizer))

    figures = task.evaluate(Uniform())
    assert sum(n * t for n, t in seen) == len(task.validation) - 1
    assert figures["loss"] == pytest.approx(np.log(len(tokenizer)))
    a, b = task.batch(3), task.batch(3)
    assert a[0].tolist() == b[0].tolist() != task.batch(4)[0].tolist()
    assert a[0][:, 1:].tolist() == a[1][:, :-1].tolist()


def test_counts(tmp_path):
    (file,) = write(tmp_path, text=TEXT)
    result = train_text(TextConfig("ngram", file=file, order=4), tmp_path / "run")
    run, figures = evaluate_text_run(tmp_path / "run")
    assert figures == result.best
    assert isinstance(run.model, NGram)
    assert figures["perplexity"] < 2  # the text repeats itself
    with pytest.raises(OptionError, match="nothing to resume"):
        train_text(run.config, tmp_path / "run", resume=True)


def test_translation(tmp_path):
    source, target = write(tmp_path, de="\n".join(p[0] for p in PAIRS), en="\n".join(p[1] for p in PAIRS))
    config = TextConfig(
        "translate", source=source, target=target, epochs=12, batch_size=8, hidden=16, heads=2, layers=1,
        feedforward=16, dropout=0.0, lr=0.02, label_smoothing=0.0,
    )  # fmt: skip
    train_text(config, tmp_path / "run")
    run, figures = evaluate_text_run(tmp_path / "run")
    assert set(figures) == {"loss", "bleu"}
    assert figures["loss"] < 0.1
    sentences = [pair[0] for pair in PAIRS[:3]]
    for beams in (1, 2):
        found = translate(run.model, run.tokenizers, sentences, beams, 100)
        assert [run.tokenizers[1].decode(ids) for ids in found] == ["a dog runs", "a cat sleeps.", "a child"]
    with pytest.raises(DataError, match="sentence 2 has 0 words"):
        translate(run.model, run.tokenizers, ["ein hund", " "], 1, 100)
    notes = []
    (tmp_path / "de").write_text("\n".join([" ".join(["ein"] * 9), *(p[0] for p in PAIRS[1:])]))
    config.longest = 8
    train_text(config, tmp_path / "other", note=notes.append)
    assert notes == ["training part: left out 1 of 40 lines with more than 8 tokens"]


def test_classification(tmp_path):
    lines = [f"de\t{a}" for a, _ in PAIRS] + [f"en\t{b}" for _, b in PAIRS]
    (tmp_path / "lines").write_bytes(gzip.compress("\n".join(lines).encode()))
    for pool in ("last", "attention", "mean"):
        config = TextConfig(
            "classify", file=str(tmp_path / "lines"), epochs=6, hidden=8, batch_size=8, lr=0.03, pool=pool
        )
        result = train_text(config, tmp_path / pool)
        assert result.best["accuracy"] == result.best["f1"] == 1
        run, figures = evaluate_text_run(tmp_path / pool)
        assert run.labels == ["de", "en"]
        assert figures == result.best
    (tmp_path / "val").write_text("fr\tun chien\n")
    config.val_file = str(tmp_path / "val")
    with pytest.raises(DataError, match="label 'fr' of the validation part"):
        train_text(config, tmp_path / "other")


def test_epochs_hold_each_line_once():
    lengths = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    order = Epochs(lengths, 4, seed=5)
    first = [order[k] for k in range(3)]
    second = [order[k] for k in range(3, 6)]
    for epoch in (first, second):
        assert sorted(i for batch in epoch for i in batch) == list(range(10))
    assert first != second
    assert [order[k] for k in range(3)] == first
    assert Epochs(lengths, 4, seed=5)[1] == first[1]
    assert parts(list("abcd"), None, "x") == (list("abc"), ["d"])
    with pytest.raises(DataError, match="0 lines to learn from"):
        parts(["a"], None, "x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "bert"}, "model must be one of"),
        ({"model": "gpt", "order": 3}, "order: gpt has no such setting"),
        ({"model": "gpt", "data": "pairs"}, "data must be one of topics, text"),
        ({"model": "gpt", "data": "text"}, "file is missing"),
        ({"model": "gpt", "data": "topics", "file": "x"}, "file goes with"),
        ({"model": "gpt", "lr": 0}, "lr must be positive"),
        ({"model": "gpt", "dropout": 1.0}, "dropout must be below 1"),
        ({"model": "gpt", "steps": 0}, "steps must be at least 1"),
        ({"model": "gpt", "steps": 1.5}, "steps must be a whole number"),
        ({"model": "gpt", "tied": 1}, "tied must be True or False"),
        ({"model": "gpt", "tokenizer": "byte"}, "tokenizer must be one of"),
        ({"model": "gpt", "lower": True}, "lower goes with tokenizer 'word'"),
        ({"model": "translate", "source": "a"}, "target is missing"),
        ({"model": "translate", "source": "a", "target": "b", "val_source": "c"}, "go together"),
        ({"model": "gpt", "seed": 2**64}, "seed must fit"),
    ],
)
def test_configurations_that_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        TextConfig(**options)


def test_texts_that_are_refused(tmp_path):
    (short,) = write(tmp_path, short="abc" * 20)
    with pytest.raises(DataError, match="54 tokens to learn from and 6 to validate on"):
        train_text(TextConfig("gpt", file=short, context=60), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "latin").write_bytes("größe".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        train_text(TextConfig("gpt", file=str(tmp_path / "latin")), tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        train_text(TextConfig("gpt", file=str(tmp_path / "none")), tmp_path / "run")
