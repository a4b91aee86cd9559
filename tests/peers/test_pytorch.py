"""Agreement with PyTorch, where it is installed: whole trainings from the same weights and batches."""

import copy

import numpy as np
import pytest

import tinynet as tn
from tests.peers.programs import PROGRAMS, imported

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

STEPS = 200
SHAPES = {"small_cnn": (1, 14, 12), "colour_cnn": (3, 24, 24)}


def networks(name):
    """The program's class CNN in both engines, from the text up to its first statement that runs."""
    found = []
    for text in (PROGRAMS[name], imported(PROGRAMS[name])):
        scope = {"__name__": name}
        exec(text[: text.index("\n\n\ndef train" if "def train" in text else "\n\n\ntorch.manual_seed")], scope)
        found.append(scope["CNN"]())
    return found


def load(model, reference):
    model.load_state_dict({k: tn.from_numpy(v.detach().numpy().copy()) for k, v in reference.state_dict().items()})


def batches(name, dtype, n=STEPS):
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield rng.normal(size=(16, *SHAPES[name])).astype(dtype), rng.integers(0, 10, 16)


def step(t, model, optimizer, x, y):
    loss = t.nn.functional.cross_entropy(model(t.from_numpy(x)), t.from_numpy(y))
    optimizer.zero_grad()
    loss.backward()
    gradients = [p.grad.numpy().copy() for p in model.parameters()]
    optimizer.step()
    return loss.item(), gradients


OPTIMIZERS = {
    "sgd": lambda t, ps: t.optim.SGD(ps, lr=0.01),
    "momentum": lambda t, ps: t.optim.SGD(ps, lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adamw": lambda t, ps: t.optim.AdamW(ps, lr=1e-3),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SHAPES)
def test_float64_trainings_agree_for_200_steps(name, optimizer):
    theirs, ours = networks(name)
    theirs, ours = theirs.double(), ours.double()
    load(ours, theirs)
    a, b = OPTIMIZERS[optimizer](torch, theirs.parameters()), OPTIMIZERS[optimizer](tn, ours.parameters())
    for x, y in batches(name, np.float64, STEPS if optimizer == "sgd" else 50):
        expected, found = step(torch, theirs, a, x, y)[0], step(tn, ours, b, x, y)[0]
        assert abs(found - expected) <= 1e-9 * abs(expected)


@pytest.mark.parametrize("name", SHAPES)
def test_float32_steps_from_the_same_weights_agree(name):
    """Where the gradients differ by more, two elements of a pooling window are equal up to rounding, and one of the two
    engines takes the other one than float64 does; the other engine agrees with float64."""
    torch.manual_seed(0)
    theirs, ours = networks(name)
    exact = copy.deepcopy(theirs).double()
    rounded_apart = 0
    a, b = OPTIMIZERS["sgd"](torch, theirs.parameters()), OPTIMIZERS["sgd"](tn, ours.parameters())
    for x, y in batches(name, np.float32):
        load(ours, theirs)
        exact.load_state_dict({k: v.double() for k, v in theirs.state_dict().items()})
        expected, their_gradients = step(torch, theirs, a, x, y)
        found, our_gradients = step(tn, ours, b, x, y)
        assert abs(found - expected) <= 1e-5 * max(1.0, abs(expected))
        if largest_difference(their_gradients, our_gradients) > 1e-4:
            _, true_gradients = step(
                torch, exact, OPTIMIZERS["sgd"](torch, exact.parameters()), x.astype(np.float64), y
            )
            apart = [largest_difference(true_gradients, g) for g in (their_gradients, our_gradients)]
            assert min(apart) <= 1e-5
            rounded_apart += 1
    assert rounded_apart <= 4


def largest_difference(some, others):
    return max(np.abs(g - h).max() for g, h in zip(some, others, strict=True))


def test_batch_norm_network_agrees_in_training_and_evaluation():
    def build(t):
        return t.nn.Sequential(
            t.nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
            t.nn.BatchNorm2d(8, momentum=0.3),
            t.nn.ELU(),
            t.nn.AvgPool2d(2, ceil_mode=True),
            t.nn.Flatten(),
            t.nn.Linear(72, 5, bias=False),  # before a norm its gradient is rounding alone, which AdamW makes large
            t.nn.BatchNorm1d(5),
        ).double()

    theirs, ours = build(torch), build(tn)
    load(ours, theirs)
    a, b = OPTIMIZERS["adamw"](torch, theirs.parameters()), OPTIMIZERS["adamw"](tn, ours.parameters())
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = rng.normal(size=(12, 3, 11, 11)), rng.integers(0, 5, 12)
        expected, found = step(torch, theirs, a, x, y)[0], step(tn, ours, b, x, y)[0]
        assert abs(found - expected) <= 1e-9 * abs(expected)
    for (name, v), w in zip(theirs.state_dict().items(), ours.state_dict().values(), strict=True):
        np.testing.assert_allclose(w.numpy(), v.numpy(), rtol=1e-8, atol=1e-10, err_msg=name)
    x = rng.normal(size=(4, 3, 11, 11))
    np.testing.assert_allclose(
        ours.eval()(tn.from_numpy(x)).detach().numpy(), theirs.eval()(torch.from_numpy(x)).detach().numpy(), rtol=1e-6
    )


def random_program(t, seed):
    """Views, changes in place, assignments and graphs at random; the same for both engines."""
    import random

    r, rng = random.Random(seed), np.random.default_rng(seed)
    leaves = [t.from_numpy(rng.normal(size=(3, 4))).requires_grad_() for _ in range(2)]
    pool = [x * 1.0 for x in leaves] + [t.from_numpy(rng.normal(size=(3, 4)))]
    for _ in range(4 + seed % 14):
        a, b, k = r.choice(pool), r.choice(pool), r.randrange(15)
        value, more = r.choice([0.5, -1.5]), a.ndim > 0
        if k == 0:
            pool.append(a * 0.5 + a.sin())
        elif k == 1 and more:
            pool.append(a[r.randrange(a.shape[0])])
        elif k == 2 and more and a.shape[0] > 1:
            pool.append(a[1:])
        elif k == 3 and a.ndim == 2:
            pool.append(a.t())
        elif k == 4:
            pool.append(a.reshape(-1))
        elif k == 5:
            a.mul_(value)
        elif k == 6:
            a.add_(b if tuple(b.shape) == tuple(a.shape) else 0.25)
        elif k == 7 and more and a.shape[-1] > 1:
            a[..., 0] = b.sum() if value > 0 else 0.3
        elif k == 8:
            a.copy_(b if tuple(b.shape) == tuple(a.shape) else b.mean())
        elif k == 9:
            a.sin_()
        elif k == 10 and more:
            a[0] += b.mean()
        elif k == 11:
            pool.append(a.detach() * 2 + b.sum())
        elif k == 12:
            a.zero_()
        elif k == 13 and more:
            a[[0, 0]] = a[[0]] * 0.5 + b.mean()
        elif k == 14 and a.ndim == 2:
            pool.append(a.permute(1, 0)[:, :1].expand(-1, 3) * 1.0)
        pool = pool[-8:]
    values = [p.detach().numpy().copy() for p in pool]
    loss = sum((p * (i + 1.0)).sum() for i, p in enumerate(pool))
    gradients = []
    if loss.requires_grad:
        first = t.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
        again = [(g * g).sum() for g in first if g is not None and g.requires_grad]
        second = t.autograd.grad(sum(again), leaves, allow_unused=True) if again else (None, None)
        gradients = [np.zeros((3, 4)) if g is None else g.detach().numpy() for g in (*first, *second)]
    return values, gradients


def test_random_programs_of_views_and_changes_in_place():
    compared = 0
    for seed in range(600):
        try:
            expected = random_program(torch, seed)
        except RuntimeError:
            # PyTorch refuses a stale saved tensor, and also (which we do not) an in-place change of a view that was
            # taken before its base came to require a gradient
            continue
        found = random_program(tn, seed)
        for a, b in zip(expected[0] + expected[1], found[0] + found[1], strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-8, atol=1e-9, err_msg=f"seed {seed}")
        compared += 1
    assert compared > 450


def test_deepcopied_models_train_alike():
    _, ours = networks("small_cnn")
    twin = copy.deepcopy(ours)
    x, y = next(batches("small_cnn", np.float32))
    assert (
        step(tn, ours, OPTIMIZERS["sgd"](tn, ours.parameters()), x, y)[0]
        == (step(tn, twin, OPTIMIZERS["sgd"](tn, twin.parameters()), x, y)[0])
    )
