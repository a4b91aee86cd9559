"""GPT-2's weights in Hugging Face's layout: a folder with config.json and model.safetensors.

There matrices of affine layers are transposed, (in, out), and a few names differ:

    transformer.wte.weight, .wpe.weight             tokens.weight, positions.weight
    transformer.h.0.ln_1.weight, .ln_2.bias, …      blocks.0.norm1.weight, .norm2.bias, …
    transformer.h.0.attn.c_attn, .attn.c_proj       blocks.0.attention.qkv, .attention.project
    transformer.h.0.mlp.c_fc, .mlp.c_proj           blocks.0.up, .down
    transformer.ln_f, lm_head.weight                norm, head.weight (untied models alone)

Older files lack the leading "transformer.", and hold the causal masks as h.0.attn.bias, which are not read.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from .._tensor import Tensor, new_tensor
from ..errors import DataError, OptionError
from ..files import atomic_open
from ..serialization import load
from .gpt import GPT

NAMES = {
    "wte": "tokens",
    "wpe": "positions",
    "ln_f": "norm",
    "ln_1": "norm1",
    "ln_2": "norm2",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.project",
    "mlp.c_fc": "up",
    "mlp.c_proj": "down",
}
_NAME = re.compile(r"^(?:transformer\.)?(h\.\d+\.)?(.+)\.(weight|bias)$")
_MASK = re.compile(r"^(?:transformer\.)?h\.\d+\.attn\.(masked_)?bias$")
SIZES = ("vocab_size", "n_positions", "n_layer", "n_embd", "n_head")
# what GPT computes; a config that says otherwise is of another model
FIXED: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}


def load_gpt2(folder: str | os.PathLike[str], dropout: float = 0.0) -> GPT:
    """The GPT in a folder with config.json and model.safetensors, in the dtype that it was saved in.

    dropout  of the model, for further training

    Raises FileNotFoundError for a missing file; DataError where weights and config do not fit together; and
    NotImplementedError for a config whose model GPT does not compute.
    """
    folder = Path(folder)
    config = _config(folder / "config.json")
    tied = bool(config.get("tie_word_embeddings", True))
    vocab, context, layers, width, heads = (config[name] for name in SIZES)
    model = GPT(vocab, context, layers, width, heads, dropout=dropout, tied=tied)
    file = folder / "model.safetensors"
    found = load(file)
    wanted = model.state_dict()
    state: dict[str, Tensor] = {}
    for name, value in found.items():
        if _MASK.match(name) or (name == "lm_head.weight" and tied):
            continue
        own, turned = _own_name(name)
        if own not in wanted:
            raise DataError(f"load_gpt2: {file} has a tensor {name!r}, which config.json does not call for")
        array = np.ascontiguousarray(value.array.T) if turned else value.array
        if array.shape != wanted[own].array.shape:
            expected = wanted[own].array.shape[::-1] if turned else wanted[own].array.shape
            raise DataError(f"load_gpt2: {name!r} in {file} has shape {tuple(value.shape)}, expected {expected}")
        state[own] = new_tensor(array)
    missing = [_their_name(name) for name in wanted if name not in state]
    if missing:
        raise DataError(f"load_gpt2: {file} lacks {', '.join(map(repr, missing[:3]))} ({len(missing)} missing in all)")
    model.to(next(iter(state.values())).dtype)
    model.load_state_dict(state)
    return model


def save_gpt2(model: GPT, folder: str | os.PathLike[str]) -> None:
    """Write config.json and model.safetensors into `folder` (made where it is missing), as `load_gpt2` reads them."""
    if not isinstance(model, GPT):
        raise OptionError(f"save_gpt2: expected a GPT, got {type(model).__name__}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, value in model.state_dict().items():
        theirs = _their_name(name)
        array = value.array.T if _own_name(theirs)[1] else value.array
        tensors[theirs] = np.ascontiguousarray(array)
    rates = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), model.dropout.p)
    config = {
        "architectures": ["GPT2LMHeadModel"],
        **{name: values[0] for name, values in FIXED.items()},
        **dict(zip(SIZES, (model.vocab, model.context, model.layers, model.width, model.heads), strict=True)),
        "tie_word_embeddings": model.tied,
        **rates,
    }
    with atomic_open(folder / "model.safetensors") as file:
        file.write(safetensors.numpy.save(tensors, metadata={"format": "pt"}))
    with atomic_open(folder / "config.json") as file:
        file.write((json.dumps(config, indent=2) + "\n").encode())


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"load_gpt2: there is no file {path}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"load_gpt2: {path} is not JSON ({error})") from None
    if not isinstance(config, dict):
        raise DataError(f"load_gpt2: {path} does not hold a JSON object")
    for name in SIZES:
        if not isinstance(config.get(name), int) or config[name] < 1:
            raise DataError(f"load_gpt2: {path} has {name} = {config.get(name)!r}, expected a positive integer")
    for name, values in FIXED.items():
        if config.get(name, values[0]) not in values:
            raise NotImplementedError(f"load_gpt2: {path} has {name} = {config[name]!r}; supported: {values[0]!r}")
    if config.get("n_inner") not in (None, 4 * config["n_embd"]):
        raise NotImplementedError(f"load_gpt2: {path} has n_inner = {config['n_inner']}; supported: 4·n_embd")
    return config


def _own_name(name: str) -> tuple[str, bool]:
    """Our name of a tensor, and whether it lies transposed there."""
    if name == "lm_head.weight":
        return "head.weight", False
    match = _NAME.match(name)
    if match is None or match[2] not in NAMES:
        return name, False
    layer = (match[1] or "").replace("h.", "blocks.")
    return f"{layer}{NAMES[match[2]]}.{match[3]}", match[3] == "weight" and "." in match[2]


def _their_name(name: str) -> str:
    if name == "head.weight":
        return "lm_head.weight"
    stem, kind = name.rsplit(".", 1)
    layer, part = "", stem
    if stem.startswith("blocks."):
        _, number, part = stem.split(".", 2)
        layer = f"h.{number}."
    theirs = {own: their for their, own in NAMES.items()}[part]
    return f"transformer.{layer}{theirs}.{kind}"
