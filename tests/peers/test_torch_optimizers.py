"""Optimizers, schedules and averages of weights give PyTorch's numbers, where it is installed."""

import copy

import numpy as np
import pytest

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

STEPS = 20
CASES = {
    "RMSprop": [{}, {"centered": True, "momentum": 0.9, "weight_decay": 0.1}, {"maximize": True, "alpha": 0.5}],
    "Adagrad": [{}, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3}, {"maximize": True}],
    "Adadelta": [{}, {"rho": 0.5, "weight_decay": 0.1, "maximize": True}],
    "Adamax": [{}, {"betas": (0.5, 0.9), "weight_decay": 0.1, "maximize": True}],
    "NAdam": [{}, {"weight_decay": 0.1, "momentum_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{}, {"weight_decay": 0.1, "betas": (0.5, 0.9)}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "ASGD": [{}, {"lambd": 0.02, "alpha": 0.6, "t0": 3, "weight_decay": 0.1, "maximize": True}],
    "Rprop": [{}, {"etas": (0.7, 1.5), "step_sizes": (1e-3, 0.02), "maximize": True}],
}


def trained(t, name, options, dtype, interrupted=False):
    rng = np.random.default_rng(0)
    start, target = rng.normal(size=(3, 4)).astype(dtype), rng.normal(size=(3, 4)).astype(dtype)
    w, b = t.nn.Parameter(t.from_numpy(start.copy())), t.nn.Parameter(t.from_numpy(start[0].copy()))

    def make():
        return getattr(t.optim, name)([{"params": [w]}, {"params": [b], "lr": 0.07}], **options)

    optimizer = make()
    for step in range(STEPS):
        if interrupted and step == 7:
            state = optimizer.state_dict()
            optimizer = make()
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        loss = ((w * w + b - t.from_numpy(target)) ** 2).sum()
        loss.backward()
        optimizer.step()
    return [p.detach().numpy() for p in (w, b)], optimizer


@pytest.mark.parametrize(("name", "options"), [(n, o) for n, all_ in CASES.items() for o in all_], ids=str)
def test_optimizers_step_as_pytorchs(name, options):
    expected, theirs = trained(torch, name, options, np.float64)
    found, ours = trained(tn, name, options, np.float64)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-13)
    again, _ = trained(tn, name, options, np.float64, interrupted=True)
    np.testing.assert_array_equal(again[0], found[0])
    for p, q in zip(theirs.state.values(), ours.state.values(), strict=True):
        assert set(p) == set(q)
    assert set(theirs.param_groups[0]) == set(ours.param_groups[0])


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize(
    "options", [{}, {"lr": 0.05, "max_iter": 7, "history_size": 3}, {"max_iter": 6, "max_eval": 7}]
)
def test_lbfgs_steps_as_pytorchs(search, options):
    found = []
    for t in (torch, tn):
        rng = np.random.default_rng(1)
        x, y = (t.from_numpy(rng.normal(size=s)) for s in ((9, 4), (9, 1)))
        model = t.nn.Sequential(t.nn.Linear(4, 3), t.nn.Tanh(), t.nn.Linear(3, 1)).double()
        with t.no_grad():
            for p in model.parameters():
                p.copy_(t.from_numpy(rng.normal(size=tuple(p.shape))))
        optimizer = t.optim.LBFGS(model.parameters(), line_search_fn=search, **{"lr": 0.1, **options})

        def closure(t=t, model=model, optimizer=optimizer, x=x, y=y):
            optimizer.zero_grad()
            loss = t.nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        losses = []
        for _ in range(3):
            losses.append(optimizer.step(closure).item())
            state = copy.deepcopy(optimizer.state_dict())
            optimizer.load_state_dict(state)
        evaluations = state["state"][0]["func_evals"], state["state"][0]["n_iter"]
        found.append((losses, [p.detach().numpy() for p in model.parameters()], evaluations))
    (losses, params, counts), (ours, own, own_counts) = found
    np.testing.assert_allclose(ours, losses, rtol=1e-7)
    for a, b in zip(params, own, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-8)
    assert own_counts == counts


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (1 + e)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9 + 0.01 * e),
    "StepLR": lambda s, o: s.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 11], 0.5),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, 4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.2, 0.9, 6),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 7, 1.5),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 6, 0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.5, 9), s.ExponentialLR(o, 0.9), s.CosineAnnealingLR(o, 5)], [3, 7]
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.5, 4), s.ExponentialLR(o, 0.9)]),
    "Sequential of chained": lambda s, o: s.SequentialLR(
        o, [s.ChainedScheduler([s.LinearLR(o, 0.1, total_iters=3), s.ExponentialLR(o, 0.9)]), s.StepLR(o, 2)], [4]
    ),
    "triangular": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.2], 3, 4),
    "triangular2": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, mode="triangular2"),
    "exp_range": lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.1, 2, 3, "exp_range", 0.9, base_momentum=[0.5, 0.6]),
    "scale_fn": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, scale_fn=lambda x: 1 / x, cycle_momentum=False),
    "SWALR": lambda s, o: s.swa(o, 0.02, 5),
    "SWALR linear": lambda s, o: s.swa(o, [0.02, 0.9], 4, "linear"),
    "SWALR at once": lambda s, o: s.swa(o, 0.02, 0),
}


class Names:
    def __init__(self, t):
        self.t = t

    def __getattr__(self, name):
        return self.t.optim.swa_utils.SWALR if name == "swa" else getattr(self.t.optim.lr_scheduler, name)


def rates(t, make, steps=16, interrupted=False):
    def build():
        ps = [t.nn.Parameter(t.ones(1)) for _ in range(2)]
        optimizer = t.optim.SGD([{"params": ps[0]}, {"params": ps[1], "lr": 0.5}], lr=0.1, momentum=0.9)
        return optimizer, make(Names(t), optimizer)

    optimizer, schedule = build()
    found = []
    for step in range(steps):
        if interrupted and step == 5:
            states = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
            optimizer, schedule = build()
            optimizer.load_state_dict(states[0])
            schedule.load_state_dict(states[1])
        found.append([*(g["lr"] for g in optimizer.param_groups), *(g["momentum"] for g in optimizer.param_groups)])
        assert schedule.get_last_lr() == found[-1][:2]
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.filterwarnings("ignore:Detected call of")  # PyTorch's, of chained schedules
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_pytorchs(name):
    expected = rates(torch, SCHEDULES[name])
    np.testing.assert_allclose(rates(tn, SCHEDULES[name]), expected, rtol=1e-12)
    np.testing.assert_allclose(rates(tn, SCHEDULES[name], interrupted=True), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:.*epoch")
@pytest.mark.parametrize("name", [n for n in SCHEDULES if "hain" not in n and "Seq" not in n and "SWA" not in n])
def test_a_schedule_goes_to_an_epoch(name):
    found = []
    for t in (torch, tn):
        p = t.nn.Parameter(t.ones(1))
        optimizer = t.optim.SGD([{"params": [p]}, {"params": [t.nn.Parameter(t.ones(1))]}], lr=0.1, momentum=0.9)
        schedule = SCHEDULES[name](Names(t), optimizer)
        optimizer.step()
        rates = []
        for epoch in (3, 9, 1, 0):
            schedule.step(epoch)
            rates.append(schedule.get_last_lr())
        found.append(rates)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "max", "factor": 0.5, "patience": 1, "cooldown": 2, "min_lr": [0.02, 0.1]},
        {"threshold_mode": "abs", "threshold": 0.5, "patience": 2, "min_lr": 0.01},
        {"mode": "max", "threshold_mode": "abs", "threshold": 0.1, "patience": 0, "eps": 0.05},
    ],
)
def test_a_plateau_is_pytorchs(options):
    metrics = np.random.default_rng(0).normal(size=40)
    found = []
    for t in (torch, tn):
        groups = [{"params": [t.nn.Parameter(t.ones(1))], "lr": lr} for lr in (0.1, 0.5)]
        schedule = t.optim.lr_scheduler.ReduceLROnPlateau(t.optim.SGD(groups), **options)
        rates = []
        for m in metrics:
            schedule.step(t.tensor(m))
            rates.append([*schedule.get_last_lr(), schedule.num_bad_epochs, schedule.best])
        found.append(rates)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)


AVERAGES = {
    "mean": lambda u: {},
    "ema": lambda u: {"avg_fn": u.get_ema_avg_fn(0.9), "use_buffers": True},
    "multi ema": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.9)},
    "multi mean": lambda u: {"multi_avg_fn": u.get_swa_multi_avg_fn()},
}


@pytest.mark.parametrize("name", AVERAGES)
def test_averaged_models_are_pytorchs(name):
    found = []
    for t in (torch, tn):
        rng, utils = np.random.default_rng(2), t.optim.swa_utils
        model = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.BatchNorm1d(4)).double()
        averaged = utils.AveragedModel(model, **AVERAGES[name](utils))
        batches = [t.from_numpy(rng.normal(size=(5, 3))) for _ in range(4)]
        for x in batches:
            with t.no_grad():
                for p in model.parameters():
                    p.copy_(t.from_numpy(rng.normal(size=tuple(p.shape))))
            model(x)
            averaged.update_parameters(model)
        state = {k: v.clone() for k, v in averaged.state_dict().items()}
        averaged.eval()
        utils.update_bn([(x, 0) for x in batches], averaged)
        assert not averaged.training
        assert averaged.module[1].momentum == 0.1
        found.append(
            [v.numpy() for v in (*state.values(), *averaged.state_dict().values(), averaged(batches[0]).detach())]
        )
        names = list(state)
    assert "n_averaged" in names
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(
            b, a, rtol=1e-6 if name == "multi mean" else 1e-10, atol=1e-12
        )  # 1/(n + 1) in float32
