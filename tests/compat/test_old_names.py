"""Old types and constructors, PyTorch's modules and switches: they do what PyTorch's do, or say that they do nothing."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import tinynet as tn
from tinynet import dtypes, nn
from tinynet.errors import DeviceError, DtypeError, OptionError, ShapeError


@pytest.mark.parametrize("name", dtypes.OLD_NAMES)
def test_old_types(name):
    kind, dtype = getattr(tn, name), dtypes.OLD_NAMES[name]
    x = kind([[1, 0, 1]])
    assert (type(x), x.dtype, x.tolist()) == (tn.Tensor, dtype, [[1, 0, 1]])
    assert (kind(2, 3).shape, kind().shape, kind(tn.Size([2])).shape, kind(2, 0).shape) == ((2, 3), (0,), (2,), (2, 0))
    assert kind(np.ones(2)).dtype is dtype
    assert kind((1, 1, 0)).tolist() == [1, 1, 0]
    assert [n for n in dtypes.OLD_NAMES if isinstance(x, getattr(tn, n))] == [name]
    assert not isinstance(3, kind)
    assert x.type() == tn.typename(x) == f"torch.{name}"
    y = tn.tensor([1.0, 0.0])
    for target in (kind, f"torch.{name}", dtype):
        assert y.type(target).dtype is dtype
    z = kind(x)
    z[0, 1] = 1
    assert x[0, 1] == 1  # the same memory


def test_tensor_of_sizes_and_of_numbers():
    assert (tn.Tensor(2, 3).shape, tn.Tensor(3).shape, tn.Tensor().shape) == ((2, 3), (3,), (0,))
    assert tn.Tensor([1, 2]).dtype is tn.float32
    assert tn.Tensor((2, 3)).tolist() == [2, 3]
    assert tn.Tensor([]).shape == (0,)
    with pytest.raises(TypeError, match=r"Tensor.*2\.5"):
        tn.Tensor(2.5)
    with pytest.raises(DtypeError, match=r"FloatTensor.*float32.*float64"):
        tn.FloatTensor(tn.ones(2, dtype=tn.float64))
    with pytest.raises(DeviceError, match="cuda"):
        tn.Tensor(2, device="cuda")
    with pytest.raises(DeviceError, match="cuda"):
        tn.ones(2).type("torch.cuda.FloatTensor")
    with pytest.raises(TypeError):
        tn.ones(2).type("torch.StringTensor")


def test_default_types():
    try:
        tn.set_default_tensor_type("torch.DoubleTensor")
        assert tn.ones(2).dtype is tn.float64
        tn.set_default_tensor_type(tn.FloatTensor)
        assert tn.ones(2).dtype is tn.float32
    finally:
        tn.set_default_dtype(tn.float32)
    with pytest.raises(TypeError):
        tn.set_default_tensor_type(tn.LongTensor)
    with pytest.raises(DeviceError):
        tn.set_default_tensor_type("torch.cuda.FloatTensor")
    tn.set_default_device("cpu")
    assert tn.get_default_device() == tn.device("cpu")
    with pytest.raises(DeviceError):
        tn.set_default_device("cuda")
    with tn.device("cpu"):
        assert tn.ones(1).device.type == "cpu"
    with pytest.raises(DeviceError), tn.device("cuda"):
        pass


def test_variables():
    from tinynet.autograd import Variable

    x = tn.ones(2)
    v = Variable(x, requires_grad=True)
    (v * v).sum().backward()
    assert v.grad.tolist() == [2, 2]
    assert isinstance(x, Variable)
    assert not isinstance(2, Variable)
    assert not Variable(x).requires_grad


def test_questions():
    x, k = tn.ones(2, 3), tn.tensor([1])
    assert (tn.numel(x), tn.is_floating_point(x), tn.is_floating_point(k), tn.is_complex(x)) == (6, True, False, False)
    assert (tn.is_signed(k), tn.is_signed(k.byte()), tn.is_nonzero(k), tn.is_same_size(x, x)) == (
        True,
        False,
        True,
        True,
    )
    assert (tn.is_storage(x), tn.is_inference(x), tn.is_autocast_enabled()) == (False, False, False)
    assert tn.typename(nn.Linear) == "tinynet.nn.linear.Linear"
    assert tn.typename(3) == "int"
    assert tn.broadcast_shapes((2, 1), 3, (1,)) == tn.Size([2, 3])
    with pytest.raises(ShapeError, match="broadcast"):
        tn.broadcast_shapes((2,), (3,))
    with pytest.raises(ShapeError):
        tn.is_nonzero(x)
    with pytest.raises(TypeError):
        tn.numel(3)
    assert (tn.can_cast(tn.float32, tn.int64), tn.can_cast(tn.int64, tn.float16)) == (False, True)
    assert tn.result_type(k, 1.5) is tn.float32
    assert f"{tn.tensor(1.5)} {tn.tensor([1.5])} {tn.tensor(2.0):.2f}" == "1.5 tensor([1.5000]) 2.00"
    x = tn.arange(6.0).view(2, 3)
    assert tn.einsum(x, [0, 1], x, [2, 1], [0, 2]).tolist() == (x @ x.T).tolist()
    assert tn.einsum(x, [..., 1], x, [..., 1]).shape == (2,)
    with pytest.raises(ValueError, match="einsum"):
        tn.einsum(x, [0, 99])


def test_switches():
    tn.use_deterministic_algorithms(True, warn_only=True)
    assert tn.are_deterministic_algorithms_enabled()
    assert tn.is_deterministic_algorithms_warn_only_enabled()
    tn.use_deterministic_algorithms(False)
    assert not tn.are_deterministic_algorithms_enabled()
    tn.set_float32_matmul_precision("high")
    assert tn.get_float32_matmul_precision() == "high"
    with pytest.raises(OptionError, match="precision"):
        tn.set_float32_matmul_precision("low")
    tn.set_num_interop_threads(2)
    assert (tn.get_num_interop_threads(), tn.set_flush_denormal(True)) == (2, False)
    model = nn.Linear(1, 1)
    assert tn.compile(model, mode="max-autotune") is model
    assert tn.compile(fullgraph=True)(model) is model
    with pytest.raises(OptionError, match="speed"):
        tn.compile(model, speed=9)


def test_printing():
    x = tn.tensor([1.23456, 100.0])
    try:
        tn.set_printoptions(precision=2)
        assert str(x) == "tensor([  1.23, 100.00])"
        tn.set_printoptions(sci_mode=True)
        assert str(x) == "tensor([1.23e+00, 1.00e+02])"
        tn.set_printoptions(profile="short", threshold=5, edgeitems=1)
        assert str(tn.arange(10)) == "tensor([0,  ..., 9])"
        tn.set_printoptions(profile="full", linewidth=10_000)
        assert "..." not in str(tn.arange(2000))
        with pytest.raises(OptionError, match="profile"):
            tn.set_printoptions(profile="long")
    finally:
        tn.set_printoptions(profile="default")
    assert str(x) == "tensor([  1.2346, 100.0000])"


MODULES = [*tn.OLD_MODULES, "cuda.amp", "backends.cudnn", "backends.mps", "amp.grad_scaler", "utils.checkpoint"]


@pytest.mark.parametrize("name", MODULES)
def test_modules_can_be_imported(name):
    module = importlib.import_module(f"tinynet.{name}")
    found = tn
    for part in name.split("."):
        found = getattr(found, part)
    assert found is module
    assert module.__name__ == f"tinynet.{name}"
    assert module.__doc__
    available = getattr(module, "is_available", lambda: False)
    assert available() is False


def test_nothing_is_there_and_says_so():
    import tinynet.backends.cudnn as cudnn

    assert cudnn.enabled
    with cudnn.flags(enabled=False, benchmark=True):
        assert (cudnn.enabled, tn.backends.cudnn.benchmark) == (False, True)
    assert (cudnn.enabled, cudnn.benchmark, cudnn.version()) == (True, False, None)
    tn.backends.cuda.matmul.allow_tf32 = True
    assert tn.accelerator.current_accelerator() is None
    assert (tn.version.cuda, tn.version.__version__) == (None, tn.__version__)
    assert not tn.jit.is_scripting()
    assert tn.jit.ignore(len) is tn.jit.unused(len) is tn.compiler.disable(len) is len
    assert tn.special.expit(tn.tensor(0.0)).item() == 0.5
    calls = [tn.jit.script, tn.jit.trace, tn.onnx.export, tn.distributed.init_process_group, tn.fft.rfft]
    for call in [*calls, tn.sparse.mm, tn.quantization.quantize_dynamic, tn.func.vmap]:
        with pytest.raises(NotImplementedError, match=f"{call.__name__} is not supported"):
            call(tn.ones(2))
    for call in (tn.cuda.synchronize, tn.cuda.current_device, tn.cuda.get_device_name):
        with pytest.raises(DeviceError, match="cuda"):
            call()


def test_mixed_precision_is_switched_off():
    from tinynet.cuda.amp import GradScaler, autocast

    for make in (lambda: tn.autocast("cuda"), autocast, lambda: tn.amp.autocast("cuda", dtype=tn.float16)):
        with pytest.warns(UserWarning, match="CUDA is not available. Disabling"):
            context = make()
        with context:
            assert (tn.ones(2, 2) @ tn.ones(2, 2)).dtype is tn.float32
        assert context(lambda: 3)() == 3
    with tn.autocast("cpu", enabled=False):
        pass
    for make in (lambda: tn.autocast("cpu"), lambda: tn.GradScaler("cpu")):
        with pytest.raises(NotImplementedError, match="'cpu' is not supported"):
            make()
    for make in (GradScaler, tn.GradScaler):
        with pytest.warns(UserWarning, match="CUDA is not available"):
            make()
    scaler, w = tn.GradScaler("cuda", enabled=False), tn.ones(1, requires_grad=True)
    optimizer = tn.optim.SGD([w], lr=0.5)
    loss = (w * 2).sum()
    assert scaler.scale(loss) is loss
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert (w.item(), scaler.get_scale(), scaler.is_enabled(), scaler.state_dict()) == (0.0, 1.0, False, {})


def test_gradients_of_functions():
    def cube(x, y=1.0):
        return (x**3 * y).sum()

    x, y = tn.tensor([1.0, 2.0]), tn.tensor(2.0)
    assert tn.func.grad(cube)(x).tolist() == [3, 12]
    assert not tn.func.grad(cube)(x).requires_grad
    assert [g.tolist() for g in tn.func.grad(cube, argnums=(0, 1))(x, y)] == [[6, 24], 9]
    assert tn.func.grad(tn.func.grad(cube))(y).item() == 12
    g, (value, aux) = tn.func.grad_and_value(lambda x: (x.sum(), "more"), has_aux=True)(x)
    assert (g.tolist(), value.item(), aux) == ([1, 1], 3, "more")
    with pytest.raises(ShapeError, match="one number"):
        tn.func.grad(lambda x: x)(x)
