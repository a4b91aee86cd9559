"""Files of torch.save: what they hold is read, what they hold beside data is refused, damage is noticed."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import ml_dtypes
import numpy as np
import pytest

import tinynet as tn
from tinynet import nn
from tinynet.errors import DataError, DeviceError, DtypeError, OptionError

KINDS = {
    "Float": np.float32,
    "Double": np.float64,
    "Half": np.float16,
    "BFloat16": ml_dtypes.bfloat16,
    "Long": np.int64,
    "Int": np.int32,
    "Short": np.int16,
    "Char": np.int8,
    "Byte": np.uint8,
    "Bool": np.bool_,
}


class Name(str):
    """A global: "module name"."""


class Call:
    """A name called with arguments, and what is done to the result."""

    def __init__(self, name, *args, state=None, items=None):
        self.name, self.args, self.state, self.items = Name(name), args, state, items


class Stored:
    """A storage, by its persistent id."""

    def __init__(self, kind, key, numel, location="cpu"):
        self.id = ("storage", Name(f"torch {kind}Storage"), key, location, numel)


def opcodes(value, memo):
    """The bytes of protocol 2 for a value, as the pickler of torch.save writes them; `memo` keeps objects the same."""
    if id(value) in memo:
        return b"j" + struct.pack("<I", memo[id(value)][0])
    if isinstance(value, Name):
        return b"c" + value.replace(" ", "\n").encode() + b"\n"
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return b"X" + struct.pack("<I", len(data)) + data
    if isinstance(value, tuple):
        return b"(" + b"".join(opcodes(v, memo) for v in value) + b"t"
    if isinstance(value, Stored):
        return opcodes(value.id, memo) + b"Q"
    if isinstance(value, Call):
        text = opcodes(value.name, memo) + opcodes(value.args, memo) + b"R"
        after = b""
        if value.items is not None:
            after += b"(" + b"".join(opcodes(v, memo) for pair in value.items for v in pair) + b"u"
        if value.state is not None:
            after += opcodes(value.state, memo) + b"b"
    elif isinstance(value, list):
        text, after = b"]", b"(" + b"".join(opcodes(v, memo) for v in value) + b"e"
    else:
        text, after = b"}", b"(" + b"".join(opcodes(v, memo) for pair in value.items() for v in pair) + b"u"
    memo[id(value)] = (len(memo), value)
    return text + b"r" + struct.pack("<I", memo[id(value)][0]) + after


def pickled(value):
    return b"\x80\x02" + opcodes(value, {}) + b"."


def archive(content, storages=(), order="little", leave_out=(), compression=zipfile.ZIP_STORED):
    """A file as torch.save writes it: `content` is a value or the pickle's own bytes."""
    file = io.BytesIO()
    data = content if isinstance(content, bytes) else pickled(content)
    records = {"data.pkl": data, "byteorder": order.encode()}
    for i, a in enumerate(storages):
        a = np.asarray(a).reshape(-1)
        word = a.view(f"u{a.itemsize}")
        records[f"data/{i}"] = word.astype(word.dtype.newbyteorder("<" if order == "little" else ">")).tobytes()
    records["version"] = b"3\n"
    with zipfile.ZipFile(file, "w", compression) as z:
        for name, text in records.items():
            if name not in leave_out:
                z.writestr(f"archive/{name}", text)
    return file.getvalue()


def tensor(kind, key, numel, size, stride, offset=0, requires_grad=False, location="cpu"):
    hooks = Call("collections OrderedDict")
    storage = Stored(kind, key, numel, location)
    return Call("torch._utils _rebuild_tensor_v2", storage, offset, size, stride, requires_grad, hooks)


def parameter(data):
    return Call("torch._utils _rebuild_parameter", data, True, Call("collections OrderedDict"))


def load(data, **options):
    return tn.load(io.BytesIO(data), **options)


VECTOR = tensor("Float", "0", 2, (2,), (1,))
ONES = [np.ones(2, np.float32)]


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", KINDS)
def test_dtypes_and_byte_orders(kind, order):
    values = (np.arange(6) - (2 if kind not in ("Byte", "Bool") else 0)).astype(KINDS[kind])
    found = load(archive(tensor(kind, "0", 6, (2, 3), (3, 1)), [values], order))
    assert found.numpy().dtype == values.dtype
    np.testing.assert_array_equal(found.numpy(), values.reshape(2, 3))
    found.copy_(tn.zeros(2, 3))  # it can be written to


def test_a_file_without_a_byte_order_is_little_endian():
    assert load(archive(VECTOR, ONES, leave_out=["byteorder"])).tolist() == [1, 1]


def test_layouts_and_shared_numbers():
    values = np.arange(24.0, dtype=np.float32)
    a, b, c, d, e = load(
        archive(
            [
                tensor("Float", "0", 24, (3, 4), (2, 6), 1),
                tensor("Float", "0", 24, (), (), 7),
                tensor("Float", "0", 24, (0, 3), (3, 1), 24),
                tensor("Float", "0", 24, (5,), (0,), 2),
                tensor("Float", "1", 0, (0,), (1,)),
            ],
            [values, values[:0]],
        )
    )
    np.testing.assert_array_equal(a.numpy(), 1 + 2 * np.arange(3)[:, None] + 6 * np.arange(4))
    assert (a.stride(), b.shape, b.item(), c.shape, d.tolist(), e.shape) == ((2, 6), (), 7, (0, 3), [2] * 5, (0,))
    a[0, 1] = -5.0
    assert b.item() == -5  # over the same memory
    w = tn.ones((), requires_grad=True)
    y = w * b
    a.zero_()
    with pytest.raises(RuntimeError, match="changed"):
        y.backward()


def test_a_nested_checkpoint():
    weight = parameter(tensor("Float", "0", 2, (2,), (1,)))
    metadata = Call("collections OrderedDict", items=[("", {"version": 1})])
    model = Call("collections OrderedDict", items=[("w", weight), ("tied", weight)], state={"_metadata": metadata})
    content = {
        "model": model,
        "optimizer": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "fused": None}]},
        "epoch": 2**70,
        "odd": [True, False, -1, "é", Call("torch Size", (2, 3)), Name("torch bfloat16"), Call("torch device", "cpu")],
        "sets": Call("__builtin__ set", [1, 2]),
        "bytes": Call("_codecs encode", "a\xff", "latin1"),
        "count": Call("collections Counter", {"a": 2}),
        "buffer": tensor("Float", "0", 2, (1,), (1,), 1),
    }
    found = load(archive(content, ONES))
    assert type(found["model"]) is OrderedDict
    assert found["model"]._metadata == {"": {"version": 1}}
    w = found["model"]["w"]
    assert isinstance(w, nn.Parameter)
    assert w is found["model"]["tied"]
    assert w.requires_grad
    w.data[1] = 7
    assert found["buffer"].item() == 7
    assert found["optimizer"] == content["optimizer"]
    assert found["epoch"] == 2**70
    assert found["odd"] == [True, False, -1, "é", tn.Size([2, 3]), tn.bfloat16, tn.device("cpu")]
    assert (found["sets"], found["bytes"], found["count"]) == ({1, 2}, b"a\xff", {"a": 2})


def test_a_leaf_and_a_parameter_with_attributes():
    leaf = tensor("Float", "0", 2, (2,), (1,), requires_grad=True)
    assert load(archive(leaf, ONES)).requires_grad
    state = {"lr_scale": 0.5}
    marked = Call("torch._utils _rebuild_parameter_with_state", VECTOR, False, Call("collections OrderedDict"), state)
    found = load(archive(marked, ONES))
    assert (found.lr_scale, found.requires_grad) == (0.5, False)
    args = (*VECTOR.args,)
    typed = ("torch._tensor _rebuild_from_type_v2", Name("torch._utils _rebuild_tensor_v2"), Name("torch Tensor"), args)
    assert load(archive(Call(*typed, state), ONES)).lr_scale == 0.5
    for bad in ("array", "requires_grad", "__class__", "backward"):
        with pytest.raises(DataError, match=f"sets the attribute '{bad}'"):
            load(archive(Call(*typed, {bad: 1}), ONES))


def test_a_state_dict_of_a_file_loads_into_a_module(tmp_path):
    model, path = nn.Linear(2, 1), tmp_path / "model.pt"
    weight, bias = np.array([[1.0, 2.0]], np.float32), np.array([0.5], np.float32)
    items = [("weight", tensor("Float", "0", 2, (1, 2), (2, 1))), ("bias", tensor("Float", "1", 1, (1,), (1,)))]
    path.write_bytes(archive(Call("collections OrderedDict", items=items), [weight, bias]))
    model.load_state_dict(tn.load(path, weights_only=True))
    assert model(tn.tensor([3.0, 4.0])).item() == 11.5


# places


def test_map_location():
    data = archive(tensor("Float", "0", 2, (2,), (1,), location="cuda:0"), ONES)
    seen = []

    def remember(storage, place):
        seen.append((len(storage), storage.dtype, place, str(storage.device)))
        return storage.cpu()

    for place in ("cpu", tn.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage, remember):
        assert load(data, map_location=place).tolist() == [1, 1]
    assert seen == [(2, tn.float32, "cuda:0", "cpu")]
    for place in (None, {"cuda:1": "cpu"}, lambda storage, place: None):
        with pytest.raises(DeviceError, match=r"cuda:0.*map_location='cpu'"):
            load(data, map_location=place)
    with pytest.raises(DeviceError, match="cuda"):
        load(archive(VECTOR, ONES), map_location="cuda")
    with pytest.raises(OptionError, match="must return the storage"):
        load(data, map_location=lambda storage, place: 3)
    with pytest.raises(DtypeError, match="map_location must be"):
        load(data, map_location=3)


# what is refused


class Attack:
    def __init__(self, function, *args):
        self.what = (function, args)

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "attack",
    [
        (os.system, "touch {}"),
        (eval, "open({!r}, 'w')"),
        (exec, "open({!r}, 'w')"),
        (open, "{}", "w"),
        (getattr, "", "join"),
        (__import__, "os"),
        (np.array, [1.0]),
    ],
)
def test_nothing_is_run(tmp_path, attack, protocol):
    function, *args = attack
    sign = tmp_path / "sign"
    args = [a.format(str(sign)) if isinstance(a, str) else a for a in args]
    for content in (Attack(function, *args), [1, {"a": Attack(function, *args)}]):
        with pytest.raises(DataError, match=r"asks for [\w.]+, which is not among|which torch\.save does not write"):
            load(archive(pickle.dumps(content, protocol)))
    assert not sign.exists()


@pytest.mark.parametrize(
    "name",
    [
        *("posix system", "builtins eval", "__builtin__ eval", "torch load", "torch.nn.modules.linear Linear"),
        *("numpy.core.multiarray _reconstruct", "numpy._core.multiarray scalar", "collections abc", "tinynet load"),
        *("torch._utils os", "torch", "OrderedDict __init__.__globals__", "collections OrderedDict.fromkeys"),
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(DataError, match=r"asks for|damaged"):
        load(archive(Call(name)))
    with pytest.raises(DataError, match=r"asks for|damaged"):
        load(archive(Name(name)))


def test_names_that_tinynet_has_nothing_for():
    for kind in ("ComplexFloat", "QInt8"):
        with pytest.raises(NotImplementedError, match=f"{kind}Storage"):
            load(archive(tensor(kind, "0", 2, (2,), (1,)), ONES))
    storage = Call("torch._utils _rebuild_tensor_v3", 0, 0, (2,), (1,), False, None, Name("torch uint16"))
    with pytest.raises(NotImplementedError, match="uint16"):
        load(archive(storage))
    with pytest.raises(NotImplementedError, match="sparse"):
        load(archive(Call("torch._utils _rebuild_sparse_tensor", 1)))
    file = io.BytesIO(archive(VECTOR, ONES))
    with zipfile.ZipFile(file, "a") as z:
        z.writestr("archive/constants.pkl", b"")
    with pytest.raises(NotImplementedError, match="TorchScript"):
        load(file.getvalue())
    with pytest.raises(NotImplementedError, match=r"before PyTorch 1\.6"):
        load(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2))


@pytest.mark.parametrize(
    "content",
    [
        Call("torch._utils _rebuild_tensor_v2", "x", 0, (2,), (1,), False, None),
        tensor("Float", "0", 2, (3,), (1,)),
        tensor("Float", "0", 2, (2,), (1,), 1),
        tensor("Float", "0", 2, (2,), (-1,), 1),
        tensor("Float", "0", 2, (2,), (1,), -1),
        tensor("Float", "0", 2, (-2,), (1,)),
        tensor("Float", "0", 2, (2, 1), (1,)),
        tensor("Float", "0", 2, (2**40, 2**40), (0, 0)),
        tensor("Float", "0", 2, (1.0,), (1,)),
        tensor("Float", "0", 3, (2,), (1,)),
        tensor("Double", "0", 2, (2,), (1,)),
        tensor("Float", "7", 2, (2,), (1,)),
        tensor("Float", "../version", 2, (2,), (1,)),
        tensor("Float", "0", "2", (2,), (1,)),
        tensor("Long", "0", 1, (1,), (1,), requires_grad=True),
        Call("torch._utils _rebuild_parameter", 3, True, None),
        Call("collections OrderedDict", state={"items": 1}),
        Call("collections OrderedDict", 1),
        Call("torch Size", 1),
        Call("torch bfloat16"),
        Call("torch FloatStorage"),
        Call("_codecs encode", "a", "rot13"),
        {(1, 2): Call("torch Size", ([],)), "x": {"y": Call("__builtin__ set", [[]])}},
        b"",
        b".",
        b"\x80\x02.",
        b"\x80\x02N",
        b"\x80\x02(.",
        b"\x80\x02t.",
        b"\x80\x02h\x05.",
        b"\x80\x02NNs.",
        b"\x80\x02Na.",
        b"\x80\x02N\x85Q.",
        b"\x80\x02NNb.",
        b"\x80\x02NNR.",
        b"\x80\x02}(Nu.",
        b"\x80\x02X\xff\xff\xff\xffab.",
        b"\x80\x02\x82\x01.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    ],
)
def test_damaged_content_is_refused(content):
    with pytest.raises(DataError):
        load(archive(content, ONES))


def test_deep_nesting():
    found, depth = load(archive(b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".")), 1
    while found:
        found, depth = found[0], depth + 1
    assert depth == 20_000
    deep = b")" + b"\x85" * 200_000  # the hash of such a key would go as deep
    for text in (b"}%bNs.", b"c__builtin__\nset\n]%ba\x85R.", b"ccollections\nCounter\n]%ba\x85R."):
        with pytest.raises(DataError, match="key of type tuple"):
            load(archive(b"\x80\x02" + text % deep))
    with pytest.raises(DataError, match="key of type tuple"):
        load(archive(b"\x80\x02ccollections\nOrderedDict\n]%bN\x86a\x85R." % deep))


def test_the_names_stay_what_they_are():
    """A file cannot change the classes that it names."""
    before = vars(tn.Size).copy()
    for name in ("torch Size", "torch float32", "torch._utils _rebuild_tensor_v2", "collections OrderedDict"):
        text = opcodes(Name(name), {}) + opcodes((None, {"numel": 1, "call": 1, "numpy": 1}), {}) + b"b."
        with pytest.raises(DataError):
            load(archive(b"\x80\x02" + text))
    assert vars(tn.Size) == before
    assert load(archive(VECTOR, ONES)).shape.numel() == 2


@pytest.mark.parametrize("record", ["data.pkl", "data/0", "version"])
def test_missing_records(record):
    with pytest.raises(DataError, match=f"{record}'"):
        load(archive(VECTOR, ONES, leave_out=[record]))


def test_damaged_archives():
    data = archive(VECTOR, ONES)
    for keep in (4, 30, 60, len(data) // 2, len(data) - 1):
        with pytest.raises(DataError):
            load(data[:keep])
    for i in range(0, len(data), 7):  # a flipped bit is noticed, or does not matter
        damaged = bytearray(data)
        damaged[i] ^= 16
        try:
            assert load(bytes(damaged)).tolist() == [1, 1]
        except (DataError, NotImplementedError):
            continue
    with pytest.raises(DataError, match="compressed"):
        load(archive(VECTOR, ONES, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(DataError, match="byte order"):
        load(archive(VECTOR, ONES, order="middle"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("a.txt", b"hello")
    with pytest.raises(DataError, match=r"not one of torch\.save"):
        load(file.getvalue())
