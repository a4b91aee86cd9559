"""GPT-2's weights in Hugging Face's layout: what is written is read back, older files, errors."""

import json

import numpy as np
import pytest
import safetensors.numpy

import tinynet as tn
from tinynet.errors import DataError, OptionError
from tinynet.models import GPT, load_gpt2, save_gpt2


@pytest.fixture
def model():
    tn.manual_seed(0)
    model = GPT(17, 12, 2, 8, 2)
    for p in model.parameters():
        p.data = p.data + tn.randn(p.shape) * 0.2
    return model


@pytest.fixture
def folder(model, tmp_path):
    save_gpt2(model, tmp_path / "gpt2")
    return tmp_path / "gpt2"


def edit(folder, **config):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))


def rewrite(folder, change):
    path = folder / "model.safetensors"
    path.write_bytes(safetensors.numpy.save(change(safetensors.numpy.load(path.read_bytes()))))


IDS = tn.tensor([[3, 16, 0, 5, 5, 9]])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", [tn.float32, tn.float16], ids=str)
def test_what_is_written_is_read_back(tied, dtype, tmp_path):
    tn.manual_seed(0)
    model = GPT(17, 12, 2, 8, 2, tied=tied).to(dtype)
    save_gpt2(model, tmp_path)
    again = load_gpt2(tmp_path, dropout=0.25)
    assert again.dropout.p == 0.25
    assert again.tokens.weight.dtype is dtype
    assert list(again.state_dict()) == list(model.state_dict())
    np.testing.assert_array_equal(again.eval()(IDS).detach().numpy(), model(IDS).detach().numpy())


def test_the_layout(model, folder):
    tensors = safetensors.numpy.load((folder / "model.safetensors").read_bytes())
    assert len(tensors) == 2 + 12 * 2 + 2
    assert tensors["transformer.h.1.attn.c_attn.weight"].shape == (8, 24)
    assert tensors["transformer.h.1.mlp.c_fc.weight"].shape == (8, 32)
    assert tensors["transformer.h.1.mlp.c_proj.weight"].shape == (32, 8)
    np.testing.assert_array_equal(
        tensors["transformer.h.0.attn.c_proj.weight"].T, model.blocks[0].attention.project.weight.detach().numpy()
    )
    np.testing.assert_array_equal(tensors["transformer.wte.weight"], model.tokens.weight.detach().numpy())


def test_older_files_are_read(model, folder):
    def older(tensors):
        tensors = {name.removeprefix("transformer."): v for name, v in tensors.items()}
        return {**tensors, "h.0.attn.bias": np.ones((1, 1, 12, 12), np.float32)}

    rewrite(folder, older)
    np.testing.assert_array_equal(load_gpt2(folder)(IDS).detach().numpy(), model(IDS).detach().numpy())


def test_what_does_not_fit_is_refused(model, folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*config\.json"):
        load_gpt2(tmp_path / "none")
    for config, error, message in (
        ({"activation_function": "relu"}, NotImplementedError, "activation_function = 'relu'"),
        ({"n_inner": 20}, NotImplementedError, "n_inner = 20"),
        ({"scale_attn_by_inverse_layer_idx": True}, NotImplementedError, "scale_attn_by_inverse_layer_idx"),
        ({"model_type": "llama"}, NotImplementedError, "model_type = 'llama'"),
        ({"n_head": None}, DataError, "n_head = None, expected a positive integer"),
        ({"vocab_size": 18}, DataError, r"'transformer.wte.weight' .* has shape \(17, 8\), expected \(18, 8\)"),
        ({"n_layer": 3}, DataError, "lacks 'transformer.h.2.ln_1.weight'"),
        ({"n_layer": 1}, DataError, "'transformer.h.1.*', which config.json does not call for"),
        ({"tie_word_embeddings": False}, DataError, "lacks 'lm_head.weight'"),
    ):
        before = (folder / "config.json").read_text()
        edit(folder, **config)
        with pytest.raises(error, match=message):
            load_gpt2(folder)
        (folder / "config.json").write_text(before)
    rewrite(folder, lambda t: {**t, "transformer.h.0.mlp.c_fc.weight": t["transformer.h.0.mlp.c_fc.weight"].T.copy()})
    with pytest.raises(DataError, match=r"has shape \(32, 8\), expected \(8, 32\)"):
        load_gpt2(folder)
    (folder / "model.safetensors").write_bytes(b"abc")
    with pytest.raises(DataError, match="not a complete safetensors file"):
        load_gpt2(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        load_gpt2(folder)
    with pytest.raises(OptionError, match="expected a GPT, got Linear"):
        save_gpt2(tn.nn.Linear(2, 2), folder)
