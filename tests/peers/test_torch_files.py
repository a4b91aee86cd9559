"""Files that PyTorch itself writes: `load` gives the same objects, and the same outputs of the same layers."""

from __future__ import annotations

import collections
import io

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def reload(obj, **options):
    file = io.BytesIO()
    torch.save(obj, file, **options)
    file.seek(0)
    return tn.load(file)


def same(a, b):
    """b is what tinynet has for PyTorch's a."""
    if isinstance(a, torch.Tensor):
        assert isinstance(b, tn.nn.Parameter) is isinstance(a, torch.nn.Parameter)
        assert (str(a.dtype)[6:], tuple(a.shape), a.requires_grad) == (b.dtype.name, tuple(b.shape), b.requires_grad)
        assert a.stride() == b.stride()
        np.testing.assert_array_equal(a.detach().double().numpy(), b.detach().double().numpy())
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for k in a:
            same(a[k], b[k])
    elif isinstance(a, list | tuple) and not isinstance(a, torch.Size):
        assert type(a) is type(b)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_everything_that_goes_in(protocol):
    base, weight = torch.arange(24.0).reshape(4, 6), torch.nn.Parameter(torch.ones(2, 3))
    content = {
        "views": [base.t()[1:, ::2], base[1], base[2, 3], torch.ones(1).expand(5), base[:0]],
        "tied": (weight, weight),
        "leaf": torch.zeros(2, requires_grad=True),
        "plain": [1, -1, 2**70, 1.5, None, True, "é", b"a\xff", (), [], {}, {1, 2}, collections.Counter("ab")],
        "size": torch.Size([2]),
    }
    for name in ["float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]:
        content[name] = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(torch, name)).t()
    found = reload(content, pickle_protocol=protocol)
    same(content, found)
    assert found["tied"][0] is found["tied"][1]
    found["views"][1][3] = -1.0
    assert found["views"][0][2, 0].item() == base.t()[1:, ::2][2, 0].item()
    assert found["views"][0].numpy().base is not None
    base[1, 2], found["views"][1][2] = 99.0, 99.0
    same(content["views"][2], found["views"][2])
    assert reload(torch.float16) is tn.float16
    assert reload(torch.device("cpu")) == tn.device("cpu")


def test_what_is_refused():
    for obj, error in (
        (torch.ones(2, dtype=torch.complex64), NotImplementedError),
        (torch.ones(2, dtype=torch.uint16), NotImplementedError),
        (torch.ones(2).to_sparse(), NotImplementedError),
        (torch.nn.Linear(1, 1), ValueError),
        (np.float64(3), ValueError),
        (np.ones(2), ValueError),
    ):
        with pytest.raises(error, match="load: "):
            reload(obj)
    with pytest.raises(NotImplementedError, match=r"before PyTorch 1\.6"):
        reload(torch.ones(2), _use_new_zipfile_serialization=False)


def network(t):
    nn = t.nn
    return nn.ModuleDict(
        {
            "image": nn.Sequential(
                nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
            ),
            "text": nn.ModuleList([nn.Embedding(7, 6), nn.LSTM(6, 5, 2, batch_first=True)]),
            "encoder": nn.TransformerEncoderLayer(6, 2, 8, batch_first=True),
        }
    )


def outputs(t, model, x, k):
    model.eval()
    image = model["image"](t.from_numpy(x))
    e = model["text"][0](t.from_numpy(k))
    return [y.detach().numpy() for y in (image, model["text"][1](e)[0], model["encoder"](e))]


def test_weights_and_optimizers_come_over():
    theirs, ours = network(torch), network(tn)
    x, k = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32), np.array([[1, 2, 6], [0, 3, 5]])
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01)
    theirs["image"](torch.from_numpy(x)).pow(2).sum().backward()
    adam.step()
    found = reload({"model": theirs.state_dict(), "optimizer": adam.state_dict(), "epoch": 3})
    ours.load_state_dict(found["model"])
    for a, b in zip(outputs(torch, theirs, x, k), outputs(tn, ours, x, k), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
    again = tn.optim.Adam(ours.parameters(), lr=0.5)
    again.load_state_dict(found["optimizer"])
    for engine, model, optimizer in ((torch, theirs, adam), (tn, ours, again)):
        optimizer.zero_grad()
        model.train()
        model["image"](engine.from_numpy(x)).pow(2).sum().backward()
        optimizer.step()
    for a, b in zip(theirs.parameters(), ours.parameters(), strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-4, atol=2e-4)
