"""OneCycleLR: the published schedule computed by hand, momentum, groups, resuming, errors; and PyTorch's numbers."""

import math

import pytest

import tinynet as tn
from tinynet import nn, optim
from tinynet.errors import DtypeError, OptionError
from tinynet.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR


def parameters(n=1):
    return [nn.Parameter(tn.zeros(2)) for _ in range(n)]


def record(scheduler, optimizer, steps):
    """(lr, momentum or β₁) of each group, at steps 0, 1, …"""
    found = []
    for k in range(steps):
        found.append([(g["lr"], g["betas"][0] if "betas" in g else g.get("momentum")) for g in optimizer.param_groups])
        assert scheduler.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
        if k + 1 < steps:
            optimizer.step()
            scheduler.step()
    return found


def mix(kind, a, b, x):
    """Linear, or half a cosine, from a at x = 0 to b at x = 1."""
    return (1 - x) * a + x * b if kind == "linear" else a + (b - a) * (1 - math.cos(math.pi * x)) / 2


@pytest.mark.parametrize("kind", ["cos", "linear"])
@pytest.mark.parametrize("make", [lambda ps: optim.SGD(ps, 0.1, momentum=0.3), lambda ps: optim.AdamW(ps, 0.1)])
def test_two_phases(kind, make):
    """20 steps: 0.02 → 0.5 in steps 0 … 5, → 0.0002 in steps 5 … 19; momentum 0.95 → 0.85 → 0.95."""
    optimizer = make(parameters())
    options = {"pct_start": 0.3, "anneal_strategy": kind, "final_div_factor": 100}
    found = record(OneCycleLR(optimizer, 0.5, 20, **options), optimizer, 20)
    for s, ((lr, momentum),) in enumerate(found):
        x, a, b, c, d = (s / 5, 0.02, 0.5, 0.95, 0.85) if s <= 5 else ((s - 5) / 14, 0.5, 0.0002, 0.85, 0.95)
        assert lr == pytest.approx(mix(kind, a, b, x), rel=1e-12)
        assert momentum == pytest.approx(mix(kind, c, d, x), rel=1e-12)
    assert found[5][0] == pytest.approx((0.5, 0.85))
    if isinstance(optimizer, optim.AdamW):
        assert optimizer.param_groups[0]["betas"][1] == 0.999


@pytest.mark.parametrize("kind", ["cos", "linear"])
def test_three_phases(kind):
    """The paper's: up in steps 0 … 3, down in 3 … 6, and to the last lr in 6 … 9, with the momentum at rest."""
    optimizer = optim.SGD(parameters(), 1.0)
    scheduler = OneCycleLR(
        optimizer, 1.0, epochs=5, steps_per_epoch=2, pct_start=0.4, anneal_strategy=kind, three_phase=True,
        div_factor=10, final_div_factor=50, base_momentum=0.8, max_momentum=0.9,
    )  # fmt: skip
    for s, ((lr, momentum),) in enumerate(record(scheduler, optimizer, 10)):
        k = min(s // 3, 2) if s else 0
        ends, momenta = [0.1, 1.0, 0.1, 0.002], [0.9, 0.8, 0.9, 0.9]
        assert lr == pytest.approx(mix(kind, ends[k], ends[k + 1], s / 3 - k), rel=1e-12)
        assert momentum == pytest.approx(mix(kind, momenta[k], momenta[k + 1], s / 3 - k), rel=1e-12)


def test_groups_have_their_own_numbers():
    a, b = parameters(2)
    optimizer = optim.SGD([{"params": [a]}, {"params": [b], "momentum": 0.5}], lr=1.0)
    OneCycleLR(optimizer, [1.0, 2.0], 10, base_momentum=[0.1, 0.2], max_momentum=[0.3, 0.4])
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([1 / 25, 2 / 25])
    assert [g["momentum"] for g in optimizer.param_groups] == pytest.approx([0.3, 0.4])


def test_momentum_may_stay():
    optimizer = optim.SGD(parameters(), 1.0, momentum=0.7)
    assert {m for ((_, m),) in record(OneCycleLR(optimizer, 1.0, 8, cycle_momentum=False), optimizer, 8)} == {0.7}


@pytest.mark.parametrize("three", [False, True])
def test_a_saved_schedule_goes_on_as_if_nothing_had_been(three, tmp_path):
    def begin(lr):
        optimizer = optim.AdamW(parameters(), 0.1)
        return optimizer, OneCycleLR(optimizer, lr, 12, three_phase=three)

    optimizer, scheduler = begin(0.5)
    record(scheduler, optimizer, 5)
    tn.save([optimizer.state_dict(), scheduler.state_dict()], tmp_path / "s.safetensors")
    rest = record(scheduler, optimizer, 8)
    other, again = begin(0.9)
    saved = tn.load(tmp_path / "s.safetensors")
    other.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert record(again, other, 8) == rest


def test_last_epoch_continues_from_the_groups():
    optimizer = optim.SGD(parameters(), 1.0)
    scheduler = OneCycleLR(optimizer, 1.0, 12)
    record(scheduler, optimizer, 5)
    again = OneCycleLR(optimizer, 7.0, 12, last_epoch=3)
    assert again.last_epoch == 4
    assert again.get_last_lr() == scheduler.get_last_lr()


def test_the_way_up_may_be_empty():
    for pct in (0.0, 0.1):
        optimizer = optim.SGD(parameters(), 1.0)
        found = record(OneCycleLR(optimizer, 1.0, 10, pct_start=pct), optimizer, 10)
        rates = [lr for ((lr, _),) in found]
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] == pytest.approx(1 / 25e4)
        assert (rates[0] == 1.0) is (pct == 0.1)


def test_a_second_schedule_does_not_change_where_the_first_began():
    optimizer = optim.SGD(parameters(), 1.0)
    OneCycleLR(optimizer, 1.0, 10)
    assert CosineAnnealingLR(optimizer, 5).base_lrs == [1 / 25]  # not what is in force
    assert optimizer.param_groups[0]["initial_lr"] == 1 / 25


def test_bad_options_are_refused():
    optimizer = optim.SGD(parameters(), 1.0)
    for options, message in (
        ({"total_steps": 0}, "total_steps must be an integer ≥ 1"),
        ({}, "give total_steps, or epochs and steps_per_epoch"),
        ({"epochs": 3}, "give total_steps, or epochs and steps_per_epoch"),
        ({"epochs": 3, "steps_per_epoch": 0}, "steps_per_epoch must be an integer ≥ 1"),
        ({"total_steps": 5, "pct_start": 1.5}, r"pct_start must lie in \[0, 1\], got 1.5"),
        ({"total_steps": 5, "anneal_strategy": "sin"}, "'cos' or 'linear', got 'sin'"),
        ({"total_steps": 5, "max_lr": [1.0, 2.0]}, "max_lr has 2 values for 1 groups"),
        ({"total_steps": 5, "last_epoch": 2}, "last_epoch 2 needs max_lr, base_momentum, max_momentum, min_lr"),
    ):
        with pytest.raises(OptionError, match=message):
            OneCycleLR(optimizer, **{"max_lr": 1.0, **options})
    with pytest.raises(DtypeError, match="expected an Optimizer, got int"):
        OneCycleLR(3, 1.0, 5)
    scheduler = OneCycleLR(optimizer, 1.0, 3)
    for _ in range(3):
        scheduler.step()
    with pytest.raises(OptionError, match="step 4 of 3; the cycle is over"):
        scheduler.step()


CASES = [
    {"total_steps": 17},
    {"total_steps": 10, "pct_start": 0.25, "anneal_strategy": "linear"},
    {"epochs": 3, "steps_per_epoch": 5, "three_phase": True, "pct_start": 0.45, "div_factor": 4.0},
    {"total_steps": 9, "three_phase": True, "anneal_strategy": "linear", "base_momentum": 0.6, "max_momentum": 0.7},
    {"total_steps": 8, "pct_start": 0.0},
    {"total_steps": 8, "pct_start": 0.9, "final_div_factor": 10.0},
    {"total_steps": 12, "cycle_momentum": False},
]


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_numbers_are_pytorchs(options, name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    runs = []
    for t, make in ((torch, torch.optim.lr_scheduler.OneCycleLR), (tn, OneCycleLR)):
        optimizer = getattr(t.optim, name)([t.nn.Parameter(t.zeros(2))], lr=0.3)
        scheduler = make(optimizer, 0.8, **options)
        runs.append(record(scheduler, optimizer, scheduler.total_steps + 1))
    for theirs, ours in zip(*runs, strict=True):
        assert ours[0] == pytest.approx(theirs[0], rel=1e-12, abs=1e-15)
