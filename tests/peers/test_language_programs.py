"""Models of text train as PyTorch's programs do: the same weights and batches give the same losses; GPT-2's layout."""

import numpy as np
import pytest

import tinynet as tn
from tests.peers.programs import LSTM_LAST_STEP, WEIGHTED_SUM, imported
from tinynet.models import GPT, NNLM, RecurrentLM, TranslationTransformer, generate, load_gpt2, save_gpt2

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
rng = np.random.default_rng(0)


class TorchGPT(torch.nn.Module):
    """Of PyTorch's own encoder layers: norms first, tanh-GELU, a causal mask."""

    def __init__(self, vocab, context, layers, width, heads):
        super().__init__()
        nn = torch.nn
        self.tokens, self.positions = nn.Embedding(vocab, width), nn.Embedding(context, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.0, nn.GELU("tanh"), batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, ids):
        t = ids.shape[1]
        mask = torch.nn.Transformer.generate_square_subsequent_mask(t, dtype=self.tokens.weight.dtype)
        x = self.blocks(self.tokens(ids) + self.positions(torch.arange(t)), mask, is_causal=True)
        return x @ self.tokens.weight.T

    RENAMED = (
        ("blocks.layers.", "blocks."),
        ("self_attn.in_proj_", "attention.qkv."),
        ("self_attn.out_proj", "attention.project"),
        ("linear1", "up"),
        ("linear2", "down"),
        ("blocks.norm.", "norm."),
    )


class TorchLM(torch.nn.Module):
    """Embedding, recurrent layers, one affine layer."""

    def __init__(self, vocab, size, hidden, kind, tied=False):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocab, size)
        self.recurrent = getattr(torch.nn, kind.upper())(size, hidden, 2, batch_first=True)
        self.head = torch.nn.Linear(hidden, vocab)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, ids):
        return self.head(self.recurrent(self.embedding(ids))[0])

    RENAMED = ()


class TorchNNLM(torch.nn.Module):
    """The paper's network over windows of words, with a word "before the beginning"."""

    def __init__(self, vocab, order, size, hidden):
        super().__init__()
        self.order, self.vocab = order, vocab
        self.embedding = torch.nn.Embedding(vocab + 1, size)
        self.hidden = torch.nn.Linear((order - 1) * size, hidden)
        self.output = torch.nn.Linear(hidden, vocab)
        self.direct = torch.nn.Linear((order - 1) * size, vocab, bias=False)

    def forward(self, ids):
        padded = torch.nn.functional.pad(ids, (self.order - 2, 0), value=self.vocab)
        x = self.embedding(padded.unfold(1, self.order - 1, 1)).flatten(2)
        return self.output(torch.tanh(self.hidden(x))) + self.direct(x)

    RENAMED = ()


class TorchTranslation(torch.nn.Module):
    """nn.Transformer between embeddings with sines, and an affine layer."""

    def __init__(self, source, target, width, norm_first):
        super().__init__()
        nn = torch.nn
        self.source_tokens = nn.Embedding(source, width, padding_idx=0)
        self.target_tokens = nn.Embedding(target, width, padding_idx=0)
        self.transformer = nn.Transformer(width, 4, 2, 2, 24, 0.0, batch_first=True, norm_first=norm_first)
        self.head = nn.Linear(width, target)
        t = torch.arange(20, dtype=torch.float64)[:, None]
        angle = t / 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
        self.table = (
            torch.stack([angle.sin(), angle.cos()], -1).flatten(1).float()
        )  # as ours, whatever the model is cast to
        self.width = width

    def forward(self, source, target):
        def embed(table, ids):
            return table(ids) * self.width**0.5 + self.table[: ids.shape[1]].to(table.weight.dtype)

        padded = source == 0
        later = torch.triu(torch.ones(target.shape[1], target.shape[1], dtype=torch.bool), 1)
        y = self.transformer(
            embed(self.source_tokens, source), embed(self.target_tokens, target), tgt_mask=later,
            src_key_padding_mask=padded, memory_key_padding_mask=padded,
        )  # fmt: skip
        return self.head(y)

    RENAMED = ()


PAIRS = {
    "gpt": (lambda: TorchGPT(17, 12, 2, 16, 4), lambda: GPT(17, 12, 2, 16, 4)),
    "rnn": (lambda: TorchLM(17, 6, 8, "rnn"), lambda: RecurrentLM(17, 6, 8, 2, "rnn")),
    "lstm": (lambda: TorchLM(17, 6, 8, "lstm"), lambda: RecurrentLM(17, 6, 8, 2)),
    "gru tied": (lambda: TorchLM(17, 8, 8, "gru", True), lambda: RecurrentLM(17, 8, 8, 2, "gru", tied=True)),
    "nnlm": (lambda: TorchNNLM(17, 4, 6, 8), lambda: NNLM(17, 4, 6, 8, direct=True)),
    "translation": (
        lambda: TorchTranslation(17, 13, 16, False),
        lambda: TranslationTransformer(17, 13, 16, 4, 2, 2, 24, 0.0, max_length=20),
    ),
    "translation, norms first": (
        lambda: TorchTranslation(17, 13, 16, True),
        lambda: TranslationTransformer(17, 13, 16, 4, 2, 2, 24, 0.0, max_length=20, norm_first=True),
    ),
}


def renamed(name, pairs):
    for old, new in pairs:
        name = name.replace(old, new)
    return name


def losses(t, model, batches, steps=5):
    """Losses of a few steps of AdamW, with clipped gradients and a schedule."""
    optimizer = t.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = t.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    found = []
    for *inputs, target in batches:
        y = model(*(t.from_numpy(a.copy()) for a in inputs))
        y = y[0] if isinstance(y, tuple) else y
        loss = t.nn.functional.cross_entropy(
            y.reshape(-1, y.shape[-1]), t.from_numpy(target.copy()).reshape(-1), ignore_index=0
        )
        optimizer.zero_grad()
        loss.backward()
        t.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        found.append(loss.item())
    return found


def batch(name):
    if not name.startswith("translation"):
        text = rng.integers(0, 17, (4, 11))
        return text[:, :-1], text[:, 1:]
    source, target = rng.integers(1, 17, (4, 7)), rng.integers(1, 13, (4, 8))
    for k, n in enumerate((7, 4, 2, 6)):
        source[k, n:] = 0
        target[k, n + 1 :] = 0
    return source, target[:, :-1], target[:, 1:]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_training_gives_the_same_losses(name, dtype):
    torch.manual_seed(0)
    make_theirs, make_ours = PAIRS[name]
    theirs, ours = make_theirs().to(getattr(torch, dtype)), make_ours().to(getattr(tn, dtype))
    with torch.no_grad():
        for p in theirs.parameters():
            if p.ndim == 1:
                p.add_(torch.randn_like(p) * 0.3)
    weights = {renamed(k, theirs.RENAMED): tn.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(weights)
    batches = [batch(name) for _ in range(5)]
    expected, found = losses(torch, theirs, batches), losses(tn, ours, batches)
    np.testing.assert_allclose(found, expected, rtol=1e-10 if dtype == "float64" else 2e-4)
    assert expected[0] != pytest.approx(expected[-1], rel=1e-3)


# the articles' programs


@pytest.mark.parametrize("program", [LSTM_LAST_STEP, WEIGHTED_SUM], ids=["LSTM, last step", "weighted sum"])
def test_programs_give_the_same_numbers(program):
    """The modules that they define, with the same weights."""
    results = []
    for t, text in ((torch, program), (tn, imported(program))):
        scope = {"__name__": "program"}
        exec(compile(text, "program.py", "exec"), scope)
        results.append((t, scope["build"]().eval()))
    (_, theirs), (_, ours) = results
    ours.load_state_dict({k: tn.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    x = rng.normal(size=(6, 6, 8)).astype(np.float32)
    y, z = theirs(torch.from_numpy(x)), ours(tn.from_numpy(x))
    np.testing.assert_allclose(z.detach().numpy(), y.detach().numpy(), rtol=1e-5, atol=1e-6)


# Hugging Face


@pytest.fixture
def gpt2():
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=37, n_positions=24, n_embd=16, n_layer=3, n_head=4, initializer_range=0.3
    )
    return transformers.GPT2LMHeadModel(config).eval()


def test_gpt2_from_hugging_face(gpt2, tmp_path):
    gpt2.save_pretrained(tmp_path)
    ours = load_gpt2(tmp_path)
    ids = rng.integers(0, 37, (3, 24))
    with torch.no_grad():
        expected = gpt2(torch.from_numpy(ids)).logits.numpy()
    np.testing.assert_allclose(ours(tn.from_numpy(ids)).detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        text = gpt2.generate(torch.from_numpy(ids[:1, :4]), max_new_tokens=15, do_sample=False, eos_token_id=None)
    assert list(generate(ours, ids[0, :4], 15, greedy=True)) == text[0, 4:].tolist()


def test_gpt2_to_hugging_face(gpt2, tmp_path):
    tn.manual_seed(0)
    ours = GPT(37, 24, 2, 16, 4)
    for p in ours.parameters():
        p.data = p.data + tn.randn(p.shape) * 0.3
    save_gpt2(ours, tmp_path)
    theirs = type(gpt2).from_pretrained(tmp_path).eval()
    ids = rng.integers(0, 37, (3, 24))
    with torch.no_grad():
        expected = theirs(torch.from_numpy(ids)).logits.numpy()
    np.testing.assert_allclose(ours(tn.from_numpy(ids)).detach().numpy(), expected, rtol=1e-4, atol=1e-4)
