"""Tokenizers agree with Hugging Face's, BLEU with sacrebleu, classification with scikit-learn."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from tinynet.data.text import BPETokenizer, default_text
from tinynet.errors import OptionError
from tinynet.training import accuracy, corpus_bleu, precision_recall_f1

ODD = (
    "it's I'LL don't 3.14 x²  tab\t\tnbsp\u00a0\u00a0em\u2003\x85 \x1c ½ Ⅷ ١٢ नमस्ते 中文字 \U0001f469\u200d\U0001f467 "
    "é e\u0301 ’s \r\n\r\n <|endoftext|"
)

FILES = ("merges.txt", "vocab.json")


def byte_level(model):
    tokenizers = pytest.importorskip("tokenizers", reason="Hugging Face's tokenizers is not installed")
    t = tokenizers.Tokenizer(model or tokenizers.models.BPE())
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = tokenizers.decoders.ByteLevel()
    return tokenizers, t


def noise(seed):
    """Text of every kind of character that both libraries' versions of Unicode know."""
    r = random.Random(seed)
    blocks = [(32, 127), (0xA0, 0x17F), (0x370, 0x3FF), (0x900, 0x94F), (0x2000, 0x20A0), (0x4E00, 0x4EFF), (9, 14)]
    return "".join(
        chr(r.randrange(*r.choice(blocks))) if r.random() < 0.5 else r.choice("  the's'll") for _ in range(2000)
    )


@pytest.mark.parametrize(
    ("text", "size", "minimum", "specials"),
    [
        (default_text()[:200_000], 1500, 2, ["<|endoftext|>"]),
        (noise(0) + ODD, 700, 1, []),
        ("aaaa aaaaa aa " * 5 + "abab ababab baba", 400, 1, ["<pad>", "<eos>"]),  # ends when nothing is left to merge
    ],
)
def test_bpe_trains_and_encodes_as_tokenizers_does(text, size, minimum, specials, tmp_path):
    tokenizers, theirs = byte_level(None)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=minimum,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=specials,
        show_progress=False,
    )
    theirs.train_from_iterator([text], trainer)
    ours = BPETokenizer.train(text, size, minimum=minimum, specials=specials)
    assert theirs.get_vocab() == {token: i for i, token in enumerate(ours.vocabulary)}

    theirs.model.save(str(tmp_path))
    loaded = BPETokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert loaded.merges == ours.merges
    if specials:  # their files do not say which tokens are special; what no merge gives is
        assert loaded == ours
    (tmp_path / "ours").mkdir()
    ours.save_gpt2(tmp_path / "ours")
    merges, vocabulary = ([(f / name).read_text("utf-8") for f in (tmp_path / "ours", tmp_path)] for name in FILES)
    assert merges[0].rstrip("\n") == merges[1].rstrip("\n")
    assert json.loads(vocabulary[0]) == json.loads(vocabulary[1])
    _, again = byte_level(
        tokenizers.models.BPE.from_file(str(tmp_path / "ours/vocab.json"), str(tmp_path / "ours/merges.txt"))
    )
    for sample in (text, ODD, *(noise(seed) for seed in range(1, 6))):
        ids = ours.encode(sample)
        assert ids == again.encode(sample).ids
        assert again.decode(ids, skip_special_tokens=False) == ours.decode(ids) == sample


def corpus(seed):
    """Sentences, and hypotheses that are damaged copies of them."""
    r = random.Random(seed)
    words = [
        "the",
        "a",
        "cat,",
        "dog.",
        "(sat)",
        "on",
        "3.14",
        "1,000",
        "5-6",
        "mat;",
        "it's",
        "well-known",
        "!",
        "élan",
    ]
    words += ["中文", "2.", "-", '"b"']
    words += ["&quot;x&quot;", "&amp;", "<skipped>"]
    references = [" ".join(r.choices(words, k=r.randint(1, 12))) for _ in range(r.randint(1, 12))]
    hypotheses = []
    for sentence in references:
        kept = [w if r.random() < 0.8 else r.choice(words) for w in sentence.split() if r.random() < 0.9]
        hypotheses.append(" ".join(kept).capitalize() if r.random() < 0.5 else " ".join(kept))
    more = [r.choice(references) for _ in references]
    return hypotheses, [references, more][: r.randint(1, 2)], r


@pytest.mark.parametrize("seed", range(60))
def test_bleu_is_sacrebleus(seed):
    sacrebleu = pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    hypotheses, references, r = corpus(seed)
    tokenize, smooth = r.choice(["13a", "none", "char"]), r.choice(["exp", "floor", "add-k", "none"])
    options = {"lowercase": r.random() < 0.5, "smooth_value": r.choice([None, 0.3])}
    order = r.choice([4, 4, 2, 6])
    metric = sacrebleu.BLEU(tokenize=tokenize, smooth_method=smooth, max_ngram_order=order, force=True, **options)
    theirs = metric.corpus_score(hypotheses, references)
    ours = corpus_bleu(hypotheses, references, tokenize, smooth, max_order=order, **options)
    assert ours.score == pytest.approx(theirs.score, rel=1e-9, abs=1e-9)
    assert ours.precisions == pytest.approx(tuple(theirs.precisions))
    assert (ours.hypothesis_length, ours.reference_length) == (theirs.sys_len, theirs.ref_len)
    assert ours.brevity_penalty == pytest.approx(theirs.bp)
    if smooth != "add-k":  # which changes the counts themselves there
        assert (list(ours.matches), list(ours.totals)) == (list(theirs.counts), list(theirs.totals))


def test_bleu_of_a_translation_is_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    lines = [line for line in default_text().splitlines() if len(line) > 20][:400]
    r = random.Random(1)
    hypotheses = [" ".join(w for w in line.split() if r.random() < 0.85) for line in lines]
    ours = corpus_bleu(hypotheses, lines)
    assert 20 < ours.score < 90
    assert ours.score == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [lines]).score, rel=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_classification_is_scikit_learns(seed):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(seed)
    classes, n = (2, int(rng.integers(1, 30))) if seed % 2 else (int(rng.integers(2, 6)), int(rng.integers(1, 40)))
    targets, predictions = rng.integers(0, classes, n), rng.integers(0, classes, n)
    if seed % 3 == 0:
        names = np.array(["a", "bb", "ccc", "d", "e"])
        targets, predictions = names[targets], names[predictions]
    assert accuracy(targets, predictions) == pytest.approx(metrics.accuracy_score(targets, predictions))
    positive = targets[0]
    kinds = Counter([*targets.tolist(), *predictions.tolist()])
    for average in ("binary", "macro", "micro"):
        options = {"average": average, "zero_division": 0.0}
        if average == "binary" and len(kinds) > 2:
            with pytest.raises(OptionError):
                precision_recall_f1(targets, predictions, positive=positive)
            continue
        if average == "binary":
            options["pos_label"] = positive
        theirs = metrics.precision_recall_fscore_support(targets, predictions, **options)[:3]
        assert precision_recall_f1(targets, predictions, average, positive=positive) == pytest.approx(theirs)
