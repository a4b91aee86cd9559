"""Optimizers and schedules against their recursions written out, state, groups, errors."""

import contextlib
import copy
import itertools
import math

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn, optim
from tinynet.errors import GraphError, OptionError
from tinynet.optim.adam import adam_definition
from tinynet.optim.sgd import sgd_definition

rng = np.random.default_rng(0)
GRADIENTS = [rng.normal(size=(3, 4)) for _ in range(6)]


def run(make, dtype, transposed=False):
    start = rng_start()
    p = nn.Parameter(tn.from_numpy(start.astype(dtype.numpy).T.copy().T if transposed else start.astype(dtype.numpy)))
    optimizer = make([p])
    for g in GRADIENTS:
        p.grad = tn.from_numpy(g.astype(dtype.numpy))
        optimizer.step()
    return p.detach().numpy(), optimizer


def rng_start():
    return np.random.default_rng(9).normal(size=(3, 4))


SGD_OPTIONS = [
    {"momentum": m, "dampening": d, "weight_decay": w, "nesterov": n, "maximize": x}
    for m, d, w, n, x in itertools.product((0, 0.9), (0, 0.3), (0, 0.1), (False, True), (False, True))
    if not n or (m and not d)
]


@pytest.mark.parametrize("options", SGD_OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [tn.float64, tn.float32], ids=str)
def test_sgd(options, dtype):
    w, v = rng_start(), None
    for g in GRADIENTS:
        d = (-g if options["maximize"] else g) + options["weight_decay"] * w
        if options["momentum"]:
            v = d if v is None else options["momentum"] * v + (1 - options["dampening"]) * d
            d = d + options["momentum"] * v if options["nesterov"] else v
        w = w - 0.1 * d
    for transposed in (False, True):
        found, _ = run(lambda ps: optim.SGD(ps, 0.1, **options), dtype, transposed)
        np.testing.assert_allclose(found, w, rtol=1e-12 if dtype is tn.float64 else 1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decay", [0, 0.1])
@pytest.mark.parametrize("dtype", [tn.float64, tn.float32], ids=str)
def test_adam(kind, amsgrad, decay, dtype):
    w, m, v, top, lr, b1, b2, eps = rng_start(), 0.0, 0.0, 0.0, 0.01, 0.8, 0.95, 1e-6
    for t, g in enumerate(GRADIENTS, 1):
        if kind is optim.AdamW:
            w = w * (1 - lr * decay)
        else:
            g = g + decay * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        top = np.maximum(top, v)
        v_hat = (top if amsgrad else v) / (1 - b2**t)
        w = w - lr * (m / (1 - b1**t)) / (np.sqrt(v_hat) + eps)
    found, _ = run(lambda ps: kind(ps, lr, (b1, b2), eps, decay, amsgrad), dtype)
    np.testing.assert_allclose(found, w, rtol=1e-10 if dtype is tn.float64 else 1e-4, atol=1e-6)


def test_kernels_equal_definitions():
    from tinynet_kernels import available, kernels_for

    if not available(np.float64):
        pytest.skip("the JIT is off: the definitions run everywhere")
    for options in SGD_OPTIONS:
        p, buf = rng_start(), rng.normal(size=(3, 4))
        q, other = p.copy(), buf.copy()
        common = dict(lr=0.1, first=False, **options)
        k = kernels_for(p)
        table = k.Table([[p], [buf]] if options["momentum"] else [[p]])
        k.sgd_step_(table, [GRADIENTS[0]], np.zeros(1, np.bool_), lr=0.1, **options)
        sgd_definition(q, GRADIENTS[0], other if options["momentum"] else None, **common)
        np.testing.assert_allclose(p, q, rtol=1e-13)
    for decoupled, amsgrad, maximize in itertools.product((False, True), repeat=3):
        states = [rng_start(), *(np.abs(rng.normal(size=(3, 4))) for _ in range(3))]
        others = [s.copy() for s in states]
        common = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}
        common |= {"decoupled": decoupled, "maximize": maximize}
        count, k = np.full((), 2, np.float32), kernels_for(states[0])
        k.adam_step_(k.Table([[s] for s in states[: 4 if amsgrad else 3]], [count]), [GRADIENTS[0]], **common)
        adam_definition(others[0], GRADIENTS[0], *others[1:3], others[3] if amsgrad else None, step=3, **common)
        assert count == 3
        for a, b in zip(states, others, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("dtype", [tn.float16, tn.bfloat16], ids=str)
def test_halves_run_by_definition(dtype):
    for make in (lambda ps: optim.SGD(ps, 0.1, momentum=0.9), lambda ps: optim.AdamW(ps, 0.01)):
        found, _ = run(make, dtype)
        wide, _ = run(make, tn.float64)
        assert found.dtype == dtype.numpy
        np.testing.assert_allclose(found.astype(np.float64), wide, atol=0.1)


def test_groups_and_their_options():
    a, b = nn.Parameter(tn.ones(2)), nn.Parameter(tn.ones(2))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    a.grad = b.grad = tn.ones(2)
    optimizer.step()
    assert a.tolist() == pytest.approx([0.9, 0.9])
    assert b.tolist() == [0, 0]
    with pytest.raises(OptionError, match="more than one group"):
        optimizer.add_param_group({"params": [a]})
    optimizer.add_param_group({"params": [nn.Parameter(tn.ones(1))], "layer": 1})  # a program's own, kept
    assert optimizer.param_groups[-1]["layer"] == 1
    tn.set_strict(True)
    try:
        with pytest.raises(OptionError, match="unknown options learning_rate"):
            optimizer.add_param_group({"params": [nn.Parameter(tn.ones(1))], "learning_rate": 1})
    finally:
        tn.set_strict(False)
    assert "Parameter Group 1" in repr(optimizer)
    named = optim.Adam(nn.Linear(1, 1).named_parameters())
    assert named.param_groups[0]["param_names"] == ["weight", "bias"]


def test_state_goes_through_a_file(tmp_path):
    p = nn.Parameter(tn.ones(3))
    first = optim.Adam([p], 0.1)
    schedule = optim.lr_scheduler.StepLR(first, 2)
    for g in GRADIENTS[:3]:
        p.grad = tn.from_numpy(g[0, :3].astype(np.float32))
        first.step()
        schedule.step()
    tn.save({"o": first.state_dict(), "s": schedule.state_dict(), "p": p.detach()}, tmp_path / "x")
    saved = tn.load(tmp_path / "x")
    q = nn.Parameter(saved["p"])
    second = optim.Adam([q], 0.7)
    other = optim.lr_scheduler.StepLR(second, 9)
    second.load_state_dict(saved["o"])
    other.load_state_dict(saved["s"])
    for g in GRADIENTS[3:]:
        for parameter, optimizer, steps in ((p, first, schedule), (q, second, other)):
            parameter.grad = tn.from_numpy(g[0, :3].astype(np.float32))
            optimizer.step()
            steps.step()
    assert tn.equal(p, q)
    assert other.get_last_lr() == schedule.get_last_lr()
    with pytest.raises(OptionError, match="groups differ"):
        optim.Adam([nn.Parameter(tn.ones(3)), nn.Parameter(tn.ones(3))]).load_state_dict(saved["o"])
    with pytest.raises(OptionError, match="has shape"):
        optim.Adam([nn.Parameter(tn.ones(4))]).load_state_dict(saved["o"])


def test_closures_and_zero_grad():
    p = nn.Parameter(tn.ones(2))
    optimizer = optim.SGD([p], 0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with tn.no_grad():
        assert optimizer.step(closure).item() == 2.0
    held = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    assert held.numpy() is p.grad.numpy()
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()


def test_a_step_is_noticed_by_the_graph():
    p = nn.Parameter(tn.ones(2))
    y = (p * p).sum()
    p.grad = tn.ones(2)
    optim.SGD([p], 0.1).step()
    with pytest.raises(GraphError, match="in-place"):
        y.backward()


def test_bad_options():
    p = nn.Parameter(tn.ones(1))
    for make, message in (
        (lambda: optim.SGD([p], -1), "lr must be ≥ 0"),
        (lambda: optim.SGD([p], 0.1, nesterov=True), "nesterov"),
        (lambda: optim.Adam([p], betas=(0.9, 1.0)), "betas"),
        (lambda: optim.Adam([]), "empty parameter list"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(TypeError, match="got a Tensor"):
        optim.SGD(p, 0.1)
    with pytest.raises(GraphError, match="leaf"):
        optim.SGD([p * 2], 0.1)
    with pytest.raises(NotImplementedError, match="differentiable"):
        optim.SGD([p], 0.1, differentiable=True)


def test_schedules():
    p = nn.Parameter(tn.ones(1))
    optimizer = optim.SGD([p], 1.0)
    steps = optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    rates = []
    for _ in range(8):
        rates += steps.get_last_lr()
        steps.step()
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    optimizer = optim.SGD([p], 1.0)
    cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, 5, eta_min=0.2)
    for t in range(16):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi * t / 5)) / 2)
        cosine.step()
    with pytest.raises(OptionError, match="step_size"):
        optim.lr_scheduler.StepLR(optimizer, 0)
    with pytest.raises(OptionError, match="initial_lr"):
        optim.lr_scheduler.StepLR(optim.SGD([p], 1.0), 3, last_epoch=4)


def test_shapes_are_checked_before_a_kernel_runs():
    p = nn.Parameter(tn.ones(2))
    for wrong, error in ((tn.ones(3), ValueError), (tn.ones(2, dtype=tn.float64), TypeError), (np.ones(2), TypeError)):
        with pytest.raises(error, match=r"Tensor\.grad"):
            p.grad = wrong
    for make in (lambda: optim.SGD([p], 0.1, momentum=0.9), lambda: optim.Adam([p])):
        p.data, p.grad = tn.ones(2), None
        optimizer = make()
        p.sum().backward()
        optimizer.step()
        p.data = tn.ones(2000)
        with pytest.raises(ValueError, match=r"\.step: grad has shape \(2,\)"):
            optimizer.step()
        with pytest.raises(ValueError, match=r"set \.grad to None"):
            p.sum().backward()
        p.grad = None
        p.sum().backward()
        with pytest.raises(ValueError, match=r"has shape \(2,\), its parameter has shape \(2000,\)"):
            optimizer.step()


MAKERS = {
    "sgd": lambda ps: optim.SGD(ps, 0.1),
    "momentum": lambda ps: optim.SGD(ps, 0.1, momentum=0.9, dampening=0.3),
    "adamw": lambda ps: optim.AdamW(ps, 0.01),
    "amsgrad": lambda ps: optim.Adam(ps, 0.01, amsgrad=True),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_many_parameters_step_as_each_alone(make):
    """Of several dtypes, sizes and layouts; some without a gradient at times, one replaced, one state reloaded."""
    draw = np.random.default_rng(3)
    starts = [draw.normal(size=s).astype(t) for s in ((3,), (40, 500), (), (0, 2), (7, 5)) for t in ("f4", "f8", "f2")]
    starts.append(draw.normal(size=(6, 4)).T)
    together = [nn.Parameter(tn.from_numpy(s.copy(order="K"))) for s in starts]
    alone = [nn.Parameter(tn.from_numpy(s.copy(order="K"))) for s in starts]
    whole, singles = make(together), [make([p]) for p in alone]
    for step in range(5):
        for i, (p, q) in enumerate(zip(together, alone, strict=True)):
            p.grad = q.grad = None
            if (i + step) % 4:
                g = draw.normal(size=p.shape).astype(p.array.dtype)
                p.grad, q.grad = tn.from_numpy(g.copy()), tn.from_numpy(g.copy())
        if step == 2:
            together[1].data, alone[1].data = tn.ones(3, dtype=tn.float64), tn.ones(3, dtype=tn.float64)
        if step == 3:
            whole.load_state_dict(whole.state_dict())
        whole.step()
        for single in singles:
            single.step()
        for p, q in zip(together, alone, strict=True):
            np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_kernels_equal_definitions_over_steps(make):
    found = []
    for context in (contextlib.nullcontext, tn.use_definitions):
        draw = np.random.default_rng(5)
        params = [nn.Parameter(tn.from_numpy(draw.normal(size=s))) for s in ((3, 4), (70_000,))]
        optimizer = make(params)
        for step in range(4):
            for p in params:
                p.grad = tn.from_numpy(draw.normal(size=p.shape))
            with context() if step != 2 else contextlib.nullcontext():  # by definition, and back
                optimizer.step()
        found.append([p.detach().numpy() for p in params])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_a_copied_optimizer_trains_its_own_parameters():
    p = nn.Parameter(tn.ones(3))
    optimizer = optim.AdamW([p], 0.1)
    p.grad = tn.ones(3)
    optimizer.step()
    other = copy.deepcopy(optimizer)
    (q,) = other.param_groups[0]["params"]
    before = p.tolist()
    q.grad = tn.ones(3)
    other.step()
    assert p.tolist() == before
    assert q.tolist() != before
    assert optimizer.state[p]["step"].item() == 1
    assert other.state[q]["step"].item() == 2


def test_options_may_change_between_steps():
    p = nn.Parameter(tn.ones(3))
    optimizer = optim.SGD([p], 0.1)
    for momentum, expected in ((0.0, [0.9]), (0.5, [0.8]), (0.5, [0.65]), (0.0, [0.55])):
        optimizer.param_groups[0]["momentum"] = momentum
        p.grad = tn.ones(3)
        optimizer.step()
        assert p.tolist() == pytest.approx(expected * 3, rel=1e-6)


def read_only(*shape):
    a = np.ones(shape, np.float32)
    a.flags.writeable = False
    return tn.from_numpy(a)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("context", [contextlib.nullcontext, tn.use_definitions])
@pytest.mark.parametrize(
    ("wrong", "what"),
    [(lambda: read_only(3), "memory is read-only"), (lambda: tn.ones(1).expand(3), "several elements")],
    ids=["read-only", "expanded"],
)
def test_a_parameter_that_cannot_be_changed_is_named(make, context, wrong, what):
    params = [tn.ones(2, requires_grad=True), tn.ones(2, requires_grad=True), wrong().requires_grad_()]
    with context():
        optimizer = make([{"params": params[:1]}, {"params": params[1:]}])
        for p in (params[1], params[2]):
            p.grad = tn.ones(*p.shape)
        name = type(optimizer).__name__
        with pytest.raises(GraphError, match=rf"{name}.step: parameter 2 of shape \(3,\): .*{what}.*; clone\(\) it"):
            optimizer.step()
        assert params[1].tolist() == [1.0, 1.0]


def test_state_that_cannot_be_changed_is_named():
    p = tn.ones(3, requires_grad=True)
    p.grad = tn.ones(3)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    optimizer.state[p]["momentum_buffer"] = read_only(3)
    with pytest.raises(GraphError, match=r"SGD.step: parameter 0 of shape \(3,\), its momentum_buffer: .*read-only"):
        optimizer.step()


def test_state_of_another_layout_is_used_as_it_is():
    def step(state):
        p = tn.ones(3, 2, requires_grad=True)
        p.grad = tn.ones(3, 2)
        optimizer = optim.SGD([p], lr=0.1, momentum=0.5)
        optimizer.state[p]["momentum_buffer"] = state
        optimizer.step()
        return p.detach().numpy(), state.numpy()

    found, state = step(tn.ones(2, 3).t())
    expected, other = step(tn.ones(3, 2))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(state, other)


@pytest.mark.parametrize("context", [contextlib.nullcontext, tn.use_definitions])
def test_gradients_that_cannot_be_changed_are_named(context):
    params = [tn.ones(2, requires_grad=True) for _ in range(3)]
    params[1].grad, params[2].grad = tn.ones(2), read_only(2)
    with context():
        for clip, name in (
            (nn.utils.clip_grad_norm_, "clip_grad_norm_"),
            (nn.utils.clip_grad_value_, "clip_grad_value_"),
        ):
            with pytest.raises(GraphError, match=rf"{name}: the gradient of parameter 2, of shape \(2,\): .*read-only"):
                clip(params, 0.5)
            assert params[1].grad.tolist() == [1.0, 1.0]
        assert nn.utils.clip_grad_norm_(params, 100.0).item() == 2  # nothing is changed
    with pytest.raises(GraphError, match=r"zero_grad: .*read-only"):
        optim.SGD(params).zero_grad(set_to_none=False)
