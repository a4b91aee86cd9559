"""Module: registration, walking, modes, state, hooks, printing, containers."""

import copy
from collections import OrderedDict

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn
from tinynet.errors import DtypeError, OptionError, RangeError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.BatchNorm1d(4)])
        self.scale = nn.Parameter(tn.ones(1))
        self.register_buffer("steps", tn.zeros(1))
        self.register_buffer("scratch", tn.zeros(1), persistent=False)
        self.tied = self.first
        self.nothing = None

    def forward(self, x):
        return self.blocks[1](self.blocks[0](self.first(x))) * self.scale


def test_names_in_order_and_shared_ones_once():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale",
        "first.weight",
        "first.bias",
        "blocks.0.weight",
        "blocks.0.bias",
        "blocks.1.weight",
        "blocks.1.bias",
    ]
    assert [n for n, _ in net.named_modules()] == ["", "first", "blocks", "blocks.0", "blocks.1"]
    assert [n for n, _ in net.named_children()] == ["first", "blocks"]
    assert [n for n, _ in net.named_buffers()] == [
        "steps",
        "scratch",
        "blocks.1.running_mean",
        "blocks.1.running_var",
        "blocks.1.num_batches_tracked",
    ]
    assert "scratch" not in net.state_dict()
    assert "tied.weight" in net.state_dict()


def test_state_dict_round_trip_and_strict_loading():
    a, b = Net(), Net()
    a(tn.randn(5, 3))
    assert b.load_state_dict(a.state_dict()) == ([], [])
    for (name, x), (_, y) in zip(a.state_dict().items(), b.state_dict().items(), strict=True):
        assert tn.equal(x, y), name
    before = {k: v.clone() for k, v in b.state_dict().items()}
    wrong = a.state_dict()
    del wrong["scale"]
    wrong["extra"] = tn.zeros(1)
    wrong["first.weight"] = tn.zeros(9, 9)
    with pytest.raises(RuntimeError) as error:
        b.load_state_dict(wrong)
    text = str(error.value)
    for part in (
        "Missing key(s) in state_dict: 'scale'",
        "Unexpected key(s) in state_dict: 'extra'",
        "first.weight: (9, 9)",
    ):
        assert part in text
    assert all(tn.equal(before[k], v) for k, v in b.state_dict().items())
    del wrong["first.weight"]
    assert b.load_state_dict(wrong, strict=False) == (["scale", "first.weight"], ["extra"])
    with pytest.raises(DtypeError, match="expected a dict"):
        b.load_state_dict([1])


def test_state_dict_shares_memory_and_assign_takes_over():
    net = nn.Linear(2, 2)
    net.state_dict()["weight"].fill_(3.0)
    assert (net.weight == 3).all()
    other = {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(other, assign=True)
    other["bias"].fill_(7.0)
    assert (net.bias == 7).all()
    assert net.bias.requires_grad


def test_modes_casts_and_application():
    net = Net()
    assert not net.eval().blocks[1].training
    assert net.train().blocks[1].training
    assert net.double().first.weight.dtype is tn.float64
    assert net.blocks[1].num_batches_tracked.dtype is tn.int64
    net(tn.randn(4, 3, dtype=tn.float64)).sum().backward()
    assert net.first.weight.grad.dtype is tn.float64
    assert net.to(tn.float32).first.weight.grad.dtype is tn.float32
    assert net.to("cpu") is net
    with pytest.raises(RuntimeError, match="'cuda' is not available"):
        net.to("cuda")
    with pytest.raises(RuntimeError, match="'cuda' is not available"):
        net.cuda()
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Linear", "BatchNorm1d", "ModuleList", "Net"]
    net.zero_grad()
    assert net.first.weight.grad is None
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    with pytest.raises(OptionError, match="mode must be a bool"):
        net.train(3)


def test_assignment_rules():
    net = Net()
    with pytest.raises(TypeError, match="scale is a parameter"):
        net.scale = 3
    with pytest.raises(TypeError, match="first is a module"):
        net.first = tn.zeros(2)
    with pytest.raises(TypeError, match="steps is a buffer"):
        net.steps = "x"
    net.scale = None
    assert net.scale is None
    net.steps = tn.ones(2)
    assert dict(net.named_buffers())["steps"].shape == (2,)
    del net.first
    assert not hasattr(net, "first")
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = net.absent

    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Early()
    for name, error in (("a.b", KeyError), ("", KeyError), ("forward", KeyError), (3, TypeError)):
        with pytest.raises(error):
            net.register_buffer(name, None)
    assert net.get_submodule("blocks.0") is net.blocks[0]
    assert net.get_parameter("blocks.0.bias") is net.blocks[0].bias
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


def test_deepcopy_is_independent():
    net = Net()
    twin = copy.deepcopy(net)
    twin.first.weight.data.fill_(0.0)
    assert net.first.weight.abs().sum() > 0
    assert twin.tied is twin.first
    assert sum(1 for _ in twin.parameters()) == 7


def test_forward_hooks():
    net = nn.Linear(2, 2)
    calls = []
    handles = [
        net.register_forward_pre_hook(lambda m, args: calls.append("pre")),
        net.register_forward_pre_hook(lambda m, args: (args[0] * 0,)),
        net.register_forward_hook(lambda m, args, out: calls.append("post")),
        net.register_forward_hook(lambda m, args, kwargs, out: out + 1, with_kwargs=True),
    ]
    out = net(tn.ones(1, 2))
    assert calls == ["pre", "post"]
    np.testing.assert_allclose(out.detach().numpy()[0], net.bias.detach().numpy() + 1)
    for h in handles:
        h.remove()
    assert net(tn.ones(1, 2)).shape == (1, 2)
    assert calls == ["pre", "post"]


def test_full_backward_hooks():
    net = nn.Linear(3, 2, bias=False)
    seen = {}

    def hook(module, grad_input, grad_output):
        seen["in"], seen["out"] = grad_input, grad_output
        return (grad_input[0] * 2,) if grad_input[0] is not None else None

    net.register_full_backward_hook(hook)
    x = tn.ones(1, 3, requires_grad=True)
    net(x).sum().backward()
    w = net.weight.detach()
    assert tn.equal(seen["in"][0], w.sum(0, keepdim=True))
    assert seen["out"][0].tolist() == [[1.0, 1.0]]
    assert tn.equal(x.grad, 2 * w.sum(0, keepdim=True))
    seen.clear()
    net(tn.ones(1, 3)).sum().backward()
    assert seen["in"] == (None,)


def test_printing():
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Linear(3, 2, bias=False)),
    )
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))\n"
        "  (1): ReLU(inplace=True)\n"
        "  (2): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)\n"
        "  (3): Sequential(\n"
        "    (0): Linear(in_features=3, out_features=2, bias=False)\n"
        "  )\n"
        ")"
    )
    assert (
        repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])) == "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)"
    )
    assert repr(nn.ModuleList([])) == "ModuleList()"
    assert repr(nn.BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
    )
    assert repr(nn.Parameter(tn.zeros(1))) == "Parameter containing:\ntensor([0.], requires_grad=True)"


def test_containers():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    s = nn.Sequential(OrderedDict(one=a, two=b))
    assert s.one is a
    assert s[-1] is b
    assert list(s[:1]) == [a]
    assert len(nn.Sequential(a, b).append(c)) == 3
    m = nn.ModuleList([a, b])
    m.insert(0, c)
    m += [a]
    assert list(m) == [c, a, b, a]
    del m[1]
    assert m.pop(-1) is a
    m[0] = b
    assert list(m) == [b, b]
    with pytest.raises(RangeError, match="index 5"):
        m[5]
    d = nn.ModuleDict({"x": a})
    d["y"] = b
    assert list(d.keys()) == ["x", "y"]
    assert "y" in d
    assert d.pop("x") is a
    p = nn.ParameterList([tn.ones(2), tn.zeros(1)])
    assert len(list(p.parameters())) == 2
    q = nn.ParameterDict({"w": tn.ones(2)})
    assert q["w"].requires_grad
    assert [n for n, _ in q.named_parameters()] == ["w"]
    with pytest.raises(TypeError, match="must be a Module"):
        nn.ModuleList([3])
