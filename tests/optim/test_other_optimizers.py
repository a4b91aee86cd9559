"""The other optimizers, schedules and averages of weights: their equations written out, options, state, errors."""

import io
import math

import numpy as np
import pytest

import tinynet as tn
from tinynet import nn, optim
from tinynet.errors import OptionError

GRADIENTS = np.random.default_rng(0).normal(size=(12, 3))
LR, EPS = 0.1, 1e-6


def rmsprop(w, gs):
    v = mean = b = 0.0
    for g in gs:
        v, mean = 0.9 * v + 0.1 * g * g, 0.9 * mean + 0.1 * g
        b = 0.5 * b + g / (np.sqrt(v - mean**2) + EPS)
        w = w - LR * b
    return w


def adagrad(w, gs):
    s = 0.2
    for t, g in enumerate(gs):
        s = s + g * g
        w = w - LR / (1 + 0.3 * t) * g / (np.sqrt(s) + EPS)
    return w


def adadelta(w, gs):
    v = u = 0.0
    for g in gs:
        v = 0.9 * v + 0.1 * g * g
        delta = np.sqrt((u + EPS) / (v + EPS)) * g
        u = 0.9 * u + 0.1 * delta**2
        w = w - LR * delta
    return w


def adamax(w, gs):
    m = u = 0.0
    for t, g in enumerate(gs, 1):
        m, u = 0.9 * m + 0.1 * g, np.maximum(0.99 * u, np.abs(g) + EPS)
        w = w - LR / (1 - 0.9**t) * m / u
    return w


def nadam(w, gs):
    m = v = 0.0
    product = 1.0
    for t, g in enumerate(gs, 1):
        mu, after = (0.9 * (1 - 0.5 * 0.96 ** (s * 0.004)) for s in (t, t + 1))
        product *= mu
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        mixed = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
        w = w - LR * mixed / (np.sqrt(v / (1 - 0.99**t)) + EPS)
    return w


def radam(w, gs):
    m = v = 0.0
    limit = 2 / (1 - 0.99) - 1
    for t, g in enumerate(gs, 1):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        rho = limit - 2 * t * 0.99**t / (1 - 0.99**t)
        step = m / (1 - 0.9**t)
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
            step = step * r * math.sqrt(1 - 0.99**t) / (np.sqrt(v) + EPS)
        w = w - LR * step
    return w


def rprop(w, gs):
    w, size, before = w.copy(), np.full(3, LR), np.zeros(3)
    for g in gs:
        for i in range(3):
            h, sign = g[i], np.sign(g[i] * before[i])
            size[i] = np.clip(size[i] * {1: 1.2, 0: 1.0, -1: 0.5}[int(sign)], 1e-6, 0.15)
            h = 0.0 if sign < 0 else h
            w[i] -= np.sign(h) * size[i]
            before[i] = h
    return w


BETAS = {"betas": (0.9, 0.99), "eps": EPS}
KINDS = {
    "RMSprop": (rmsprop, {"alpha": 0.9, "eps": EPS, "momentum": 0.5, "centered": True}),
    "Adagrad": (adagrad, {"lr_decay": 0.3, "initial_accumulator_value": 0.2, "eps": EPS}),
    "Adadelta": (adadelta, {"eps": EPS}),
    "Adamax": (adamax, BETAS),
    "NAdam": (nadam, BETAS),
    "RAdam": (radam, BETAS),
    "Rprop": (rprop, {"step_sizes": (1e-6, 0.15)}),
}


def run(make, gradients, dtype=tn.float64):
    p = nn.Parameter(tn.ones(3, dtype=dtype))
    optimizer = make([p])
    for g in gradients:
        p.grad = tn.from_numpy(g).to(dtype)
        optimizer.step()
    return p.detach()


@pytest.mark.parametrize("name", KINDS)
def test_steps_are_the_equations(name):
    equations, options = KINDS[name]
    make = lambda ps, **more: getattr(optim, name)(ps, lr=LR, **options, **more)  # noqa: E731
    found = run(make, GRADIENTS)
    np.testing.assert_allclose(found.numpy(), equations(np.ones(3), GRADIENTS), rtol=1e-6 if name == "NAdam" else 1e-12)
    np.testing.assert_array_equal(run(lambda ps: make(ps, maximize=True), -GRADIENTS).numpy(), found.numpy())
    np.testing.assert_allclose(run(make, GRADIENTS, tn.float32).numpy(), found.numpy(), rtol=1e-4)
    for half in (tn.float16, tn.bfloat16):
        assert run(make, GRADIENTS, half).isfinite().all()
    with tn.use_definitions():
        np.testing.assert_array_equal(run(make, GRADIENTS).numpy(), found.numpy())


@pytest.mark.parametrize("name", [n for n in KINDS if n != "Rprop"])
def test_decay_adds_to_the_gradient(name):
    make = lambda ps, **more: getattr(optim, name)(ps, lr=LR, **more)  # noqa: E731
    first = GRADIENTS[:1]
    found, expected = run(lambda ps: make(ps, weight_decay=0.3), first), run(make, first + 0.3)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)
    with pytest.raises(OptionError, match=f"{name}: weight_decay must be ≥ 0, got -1"):
        make([nn.Parameter(tn.ones(1))], weight_decay=-1)


@pytest.mark.parametrize("name", ["NAdam", "RAdam"])
def test_decoupled_decay_scales_the_weights(name):
    def make(ps):
        return getattr(optim, name)(ps, lr=0.1, weight_decay=0.5, decoupled_weight_decay=True)

    zero = np.zeros((2, 3))
    np.testing.assert_allclose(run(make, zero).numpy(), np.full(3, 0.95**2), rtol=1e-12)


@pytest.mark.parametrize("name", [*KINDS, "LBFGS"])
def test_state_goes_through_a_file(name):
    found = []
    for interrupted in (False, True):
        p = nn.Parameter(tn.ones(3, dtype=tn.float64))
        optimizer = getattr(optim, name)([p], lr=0.05)
        for step in range(6):
            if interrupted and step == 3:
                file = io.BytesIO()
                tn.save(optimizer.state_dict(), file)
                file.seek(0)
                optimizer = getattr(optim, name)([p])
                optimizer.load_state_dict(tn.load(file))

            def closure(p=p, optimizer=optimizer):
                optimizer.zero_grad()
                loss = ((p - tn.tensor([1.0, 2.0, 4.0])) ** 4).sum()
                loss.backward()
                return loss

            optimizer.step(closure)
        found.append(p.detach().numpy())
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_valley(search):
    """Rosenbrock's function (1 − x)² + 100(y − x²)², least at (1, 1)."""
    p = nn.Parameter(tn.tensor([-1.2, 1.0], dtype=tn.float64))
    options = {"lr": 1.0, "max_iter": 100, "tolerance_change": 1e-15} if search else {"lr": 0.002, "max_iter": 1000}
    optimizer = optim.LBFGS([p], line_search_fn=search, **options)

    def closure():
        optimizer.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    before = closure().item()
    optimizer.step(closure)
    if search:
        np.testing.assert_allclose(p.detach().numpy(), [1, 1], atol=1e-5)
    assert closure().item() < before / 4


def test_bad_options_are_refused():
    p = nn.Parameter(tn.ones(1))
    for make, message in (
        (lambda: optim.RMSprop([p], lr=-1), "RMSprop: lr must be ≥ 0"),
        (lambda: optim.Adagrad([p], lr_decay=-1), "Adagrad: lr_decay"),
        (lambda: optim.Adadelta([p], rho=2), "Adadelta: rho"),
        (lambda: optim.Adamax([p], betas=(0.9, 1.0)), "Adamax: betas"),
        (lambda: optim.NAdam([p], momentum_decay=-1), "NAdam: momentum_decay"),
        (lambda: optim.RAdam([p], eps=-1), "RAdam: eps"),
        (lambda: optim.Rprop([p], etas=(1.0, 1.2)), "Rprop: etas"),
        (lambda: optim.LBFGS([p], line_search_fn="wolfe"), "LBFGS: line_search_fn"),
        (lambda: optim.LBFGS([{"params": [p]}, {"params": [nn.Parameter(tn.ones(1))]}]), "one parameter group only"),
    ):
        with pytest.raises(OptionError, match=message):
            make()
    for name in KINDS:
        with pytest.raises(NotImplementedError, match=f"{name}: differentiable"):
            getattr(optim, name)([p], differentiable=True)
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([p]).step()


S = optim.lr_scheduler
CLOSED = {  # lr at epoch e, from 0.8
    "lambda": (lambda o: S.LambdaLR(o, lambda e: 1 / (1 + e)), lambda e: 0.8 / (1 + e)),
    "multiplicative": (lambda o: S.MultiplicativeLR(o, lambda e: 1 / e), lambda e: 0.8 / math.factorial(e)),
    "milestones": (lambda o: S.MultiStepLR(o, [2, 5, 5], 0.5), lambda e: 0.8 * 0.5 ** ((e >= 2) + 2 * (e >= 5))),
    "constant": (lambda o: S.ConstantLR(o, 0.25, 4), lambda e: 0.8 if e >= 4 else 0.2),
    "linear": (lambda o: S.LinearLR(o, 0.5, 0.1, 5), lambda e: 0.8 * (0.5 - 0.08 * min(e, 5))),
    "exponential": (lambda o: S.ExponentialLR(o, 0.7), lambda e: 0.8 * 0.7**e),
    "polynomial": (lambda o: S.PolynomialLR(o, 6, 2.0), lambda e: 0.8 * (1 - min(e, 6) / 6) ** 2),
    "restarts": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 3, eta_min=0.2),
        lambda e: 0.2 + 0.6 * (1 + math.cos(math.pi * (e % 3) / 3)) / 2,
    ),
    "one after another": (
        lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.5, 100), S.ExponentialLR(o, 0.9)], [4]),
        lambda e: 0.4 if e < 4 else 0.8 * 0.9 ** (e - 4),
    ),
    "chained": (
        lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.5, 3), S.ExponentialLR(o, 0.9)]),
        lambda e: 0.8 * 0.9**e * (0.5 if e < 3 else 1),
    ),
    "cycles": (
        lambda o: S.CyclicLR(o, 0.2, 0.8, 2, mode="triangular2"),
        lambda e: 0.2 + 0.6 * [0, 0.5, 1, 0.5][e % 4] / 2 ** (e // 4),
    ),
    "swa": (lambda o: optim.swa_utils.SWALR(o, 0.2, 4, "linear"), lambda e: 0.8 - 0.15 * min(e, 4)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_schedules_are_their_closed_forms(name):
    make, rate = CLOSED[name]
    optimizer = optim.SGD([nn.Parameter(tn.ones(1))], lr=0.8, momentum=0.9)
    schedule = make(optimizer)
    for epoch in range(9):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate(epoch), rel=1e-12)
        assert schedule.get_last_lr() == [optimizer.param_groups[0]["lr"]]
        if epoch == 4:
            file = io.BytesIO()
            tn.save([optimizer.state_dict(), schedule.state_dict()], file)
            file.seek(0)
            optimizer = optim.SGD([nn.Parameter(tn.ones(1))], lr=0.8, momentum=0.9)
            schedule = make(optimizer)
            for owner, state in zip((optimizer, schedule), tn.load(file), strict=True):
                owner.load_state_dict(state)
        schedule.step()


def test_a_plateau_lowers_the_rate():
    optimizer = optim.SGD([nn.Parameter(tn.ones(1))], lr=1.0)
    schedule = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1, min_lr=0.2)
    rates = []
    for metric in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, math.nan, math.nan, 1.0, 1.0, 1.0):
        schedule.step(metric)
        rates += schedule.get_last_lr()
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]


def test_bad_schedules_are_refused():
    o = optim.SGD([nn.Parameter(tn.ones(1))], lr=1.0)
    other = optim.Rprop([nn.Parameter(tn.ones(1))])
    for make, message in (
        (lambda: S.LambdaLR(o, [abs, abs]), "lr_lambda has 2 values for 1 groups"),
        (lambda: S.ConstantLR(o, 1.5), "factor must lie"),
        (lambda: S.LinearLR(o, 0.0), "start_factor must lie"),
        (lambda: S.LinearLR(o, 0.5, 2.0), "end_factor must lie"),
        (lambda: S.CosineAnnealingWarmRestarts(o, 0), "T_0"),
        (lambda: S.CyclicLR(o, 0.1, 0.2, mode="round"), "mode must be"),
        (lambda: S.CyclicLR(other, 0.1, 0.2), "Rprop has no momentum"),
        (lambda: S.ReduceLROnPlateau(o, factor=1.0), "factor must be < 1"),
        (lambda: S.ReduceLROnPlateau(o, mode="least"), "mode must be"),
        (lambda: S.ReduceLROnPlateau(o, threshold_mode="x"), "threshold_mode must be"),
        (lambda: S.ReduceLROnPlateau(o, min_lr=[0, 0]), "min_lr has 2 values"),
        (lambda: S.SequentialLR(o, [S.StepLR(o, 1)], [2]), "milestones one fewer"),
        (lambda: S.SequentialLR(o, [S.StepLR(other, 1)], []), "another optimizer"),
        (lambda: S.ChainedScheduler([]), "at least one"),
        (lambda: S.ChainedScheduler([S.ReduceLROnPlateau(o)]), "needs a metric"),
        (lambda: optim.swa_utils.SWALR(o, 0.1, anneal_strategy="x"), "anneal_strategy"),
        (lambda: optim.swa_utils.get_ema_avg_fn(1.5), "decay must lie"),
        (lambda: optim.swa_utils.AveragedModel(nn.Linear(1, 1), None, max, max), "not both"),
    ):
        with pytest.raises(OptionError, match=message):
            make()
    with pytest.raises(TypeError, match="must be a function, got int"):
        S.LambdaLR(o, 3)
    with pytest.raises(TypeError, match="expected an Optimizer"):
        S.ReduceLROnPlateau(nn.Linear(1, 1))


def test_averaged_models():
    model = nn.Linear(1, 1)
    mean = optim.swa_utils.AveragedModel(model)
    ema = optim.swa_utils.AveragedModel(model, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.75))
    for value in (2.0, 4.0, 9.0):
        nn.init.constant_(model.weight, value)
        mean.update_parameters(model)
        ema.update_parameters(model)
    assert mean.module.weight.item() == 5.0
    assert ema.module.weight.item() == 0.75 * (0.75 * 2 + 0.25 * 4) + 0.25 * 9
    assert mean.n_averaged.item() == 3
    assert mean(tn.ones(1, 1)).item() == pytest.approx(5.0 + model.bias.item())
    model = nn.Sequential(nn.BatchNorm1d(2))
    x = tn.arange(12.0).reshape(6, 2)
    optim.swa_utils.update_bn([x[:3], x[3:]], model.eval())
    assert model[0].running_mean.tolist() == [5.0, 6.0]
    assert not model.training
    assert model[0].momentum == 0.1
