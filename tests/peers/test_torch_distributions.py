"""Distributions agree with PyTorch's (density, moments, entropy, divergence, gradients), and draws with SciPy's laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import tinynet as tn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

rng = np.random.default_rng(3)
A, B, S, R = rng.normal(size=(2, 3)), rng.normal(size=3), rng.uniform(0.3, 2, (2, 3)), rng.uniform(0.3, 2, 3)
P, W = rng.uniform(0.05, 0.95, (2, 3)), rng.uniform(0.1, 1, (2, 3))
W = W / W.sum(-1, keepdims=True)
G = rng.normal(size=(3, 3))
L = np.tril(G, -1) + np.diag(np.exp(np.diag(G)))
SPD = L @ L.T
LINE, UNIT, PLUS = np.linspace(-2, 2, 6).reshape(2, 3), np.array([[0.1, 0.5, 0.9]]), np.array([[0.2], [3.0]])
COUNTS, BITS = np.array([[0.0, 3.0, 1.0]]), np.array([[1.0, 0.0, 1.0]])
NAN = float("nan")
# name, parameters, values of the support
CASES = [
    ("Normal", {"loc": A, "scale": S}, LINE),
    ("Normal", {"loc": B, "scale": 2.0}, LINE),
    ("LogNormal", {"loc": A, "scale": S}, PLUS),
    ("Uniform", {"low": A, "high": A + S}, A + 0.3 * S),
    ("Uniform", {"low": -3.0, "high": 3.0}, LINE),
    ("Exponential", {"rate": S}, PLUS),
    ("Laplace", {"loc": A, "scale": R}, LINE),
    ("Cauchy", {"loc": A, "scale": R}, LINE),
    ("Gamma", {"concentration": S, "rate": R}, PLUS),
    ("Beta", {"concentration1": S, "concentration0": R}, UNIT),
    ("Beta", {"concentration1": S + 1, "concentration0": R + 1}, UNIT),
    ("Dirichlet", {"concentration": S}, W),
    ("Bernoulli", {"probs": P}, BITS),
    ("Bernoulli", {"probs": np.array([0.0, 0.5, 1.0])}, BITS),
    ("Bernoulli", {"logits": A}, BITS),
    ("Geometric", {"probs": P}, COUNTS),
    ("Geometric", {"logits": A}, COUNTS),
    ("Poisson", {"rate": S}, COUNTS),
    ("Categorical", {"probs": P}, np.array([[0], [2], [1]])),
    ("Categorical", {"logits": A}, np.array([2, 0])),
    ("Categorical", {"probs": np.array([0.0, 1.0, 3.0])}, np.array([[2], [0], [1]])),
    ("OneHotCategorical", {"probs": W}, np.eye(3)[[2, 1]]),
    ("OneHotCategorical", {"logits": A}, np.eye(3)[[0, 1]]),
    ("MultivariateNormal", {"loc": A, "covariance_matrix": SPD}, LINE),
    ("MultivariateNormal", {"loc": B, "precision_matrix": SPD}, LINE),
    ("MultivariateNormal", {"loc": B, "scale_tril": np.stack([L, 2 * L])}, LINE),
]


def made(t, name, parameters, grad=False):
    """The distribution, and its parameters as tensors."""
    given = {k: t.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for k, v in parameters.items()}
    leaves = [v.requires_grad_() for v in given.values() if not isinstance(v, float)] if grad else []
    return getattr(t.distributions, name)(**given), leaves


def close(a, b, what=""):
    assert tuple(a.shape) == tuple(b.shape), what
    assert str(a.dtype).partition(".")[2] == str(b.dtype).partition(".")[2], what
    np.testing.assert_allclose(
        b.detach().double().numpy(), a.detach().double().numpy(), rtol=1e-6, atol=1e-9, err_msg=what
    )


def attempt(function):
    """The result, or NotImplementedError where PyTorch has none."""
    try:
        return function()
    except NotImplementedError:
        return NotImplementedError


@pytest.mark.parametrize(("name", "parameters", "values"), CASES)
def test_values(name, parameters, values):
    (p, _), (q, _) = made(torch, name, parameters), made(tn, name, parameters)
    assert (tuple(p.batch_shape), tuple(p.event_shape)) == (tuple(q.batch_shape), tuple(q.event_shape))
    assert p.has_rsample == q.has_rsample
    assert p.has_enumerate_support == q.has_enumerate_support
    for what in ("mean", "mode", "variance", "stddev", "probs", "logits", "covariance_matrix", "precision_matrix"):
        if hasattr(p, what):
            close(getattr(p, what), getattr(q, what), what)
    x, y = torch.from_numpy(values), tn.from_numpy(values)
    close(p.log_prob(x), q.log_prob(y), "log_prob")
    big = (4, *p.batch_shape)
    draws = q.expand(big).sample()
    close(p.expand(big).log_prob(torch.from_numpy(draws.numpy())), q.expand(big).log_prob(draws), "expand")
    close(p.expand(big).mean, q.expand(big).mean, "expand")
    for what in ("entropy", "perplexity"):
        found = attempt(getattr(p, what))
        if found is not NotImplementedError:
            close(found, getattr(q, what)(), what)
    found = attempt(lambda: p.cdf(x))
    if found is not NotImplementedError and name not in ("Gamma",):  # its distribution function is not there
        close(found, q.cdf(y), "cdf")
    u, v = torch.from_numpy(UNIT), tn.from_numpy(UNIT)
    found = attempt(lambda: p.icdf(u))
    if found is not NotImplementedError:
        close(found, q.icdf(v), "icdf")
    if p.has_enumerate_support:
        for expand in (True, False):
            close(p.enumerate_support(expand), q.enumerate_support(expand), "enumerate_support")
    if p.batch_shape:
        a, b = (t.distributions.Independent(d, 1) for t, d in ((torch, p), (tn, q)))
        close(a.log_prob(x), b.log_prob(y), "Independent")
        assert (tuple(a.batch_shape), tuple(a.event_shape)) == (tuple(b.batch_shape), tuple(b.event_shape))


@pytest.mark.parametrize(
    ("name", "parameters", "values"), [c for c in CASES if "-3.0" not in repr(c[1]) and "[0. ," not in repr(c[1])]
)
def test_gradients(name, parameters, values):
    def derivatives(t):
        d, leaves = made(t, name, parameters, grad=True)
        out = [d.log_prob(t.from_numpy(values)).sum()]
        if name != "Poisson" and "2.0" not in repr(parameters):  # whose entropy is a constant
            out.append(d.entropy().sum())
        return [g for y in out for g in t.autograd.grad(y, leaves, retain_graph=True, allow_unused=True)]

    for a, b in zip(derivatives(torch), derivatives(tn), strict=True):
        if a is not None:
            close(a, tn.zeros(tuple(a.shape), dtype=tn.float64) if b is None else b)


def test_divergences():
    pairs = 0
    for (n, a, _), (m, b, _) in itertools.product(CASES, CASES):
        (p, _), (q, _) = made(torch, n, a), made(tn, n, a)
        (r, _), (s, _) = made(torch, m, b), made(tn, m, b)
        if (type(q), type(s)) in tn.distributions.kl.RULES and q.batch_shape == s.batch_shape:
            close(torch.distributions.kl_divergence(p, r), tn.distributions.kl_divergence(q, s), f"{n} {m}")
            pairs += 1
    assert pairs > 20
    (p, _), (q, _) = made(torch, *CASES[0][:2]), made(tn, *CASES[0][:2])
    p, q = (t.distributions.Independent(d, 1) for t, d in ((torch, p), (tn, q)))
    close(torch.distributions.kl_divergence(p, p.expand((2,))), tn.distributions.kl_divergence(q, q.expand((2,))))


BAD = [
    ("Normal", {"loc": A, "scale": -S}),
    ("Normal", {"loc": NAN * A, "scale": S}),
    ("Uniform", {"low": A, "high": A}),
    ("Exponential", {"rate": np.zeros(2)}),
    ("Gamma", {"concentration": S, "rate": -R}),
    ("Beta", {"concentration1": S, "concentration0": 0 * R}),
    ("Dirichlet", {"concentration": np.array(1.0)}),
    ("Bernoulli", {"probs": P + 1}),
    ("Bernoulli", {}),
    ("Bernoulli", {"probs": P, "logits": P}),
    ("Geometric", {"probs": 0 * P}),
    ("Categorical", {"probs": A}),
    ("Categorical", {"logits": np.array(1.0)}),
    ("Poisson", {"rate": -S}),
    ("MultivariateNormal", {"loc": B, "covariance_matrix": -SPD}),
    ("MultivariateNormal", {"loc": B, "covariance_matrix": SPD + np.triu(SPD)}),
    ("MultivariateNormal", {"loc": B, "scale_tril": L.T}),
    ("MultivariateNormal", {"loc": B}),
]


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters(name, parameters):
    for t in (torch, tn):
        with pytest.raises(ValueError):
            made(t, name, parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "values"),
    [
        ("Normal", {"loc": A, "scale": S}, np.ones((2, 4))),
        ("Normal", {"loc": A, "scale": S}, NAN * A),
        ("LogNormal", {"loc": A, "scale": S}, -S),
        ("Uniform", {"low": -1.0, "high": 1.0}, np.array([2.0])),
        ("Exponential", {"rate": S}, -S),
        ("Beta", {"concentration1": S, "concentration0": S}, S + 1),
        ("Dirichlet", {"concentration": S}, S),
        ("Bernoulli", {"probs": P}, 0.5 * BITS),
        ("Categorical", {"probs": P}, np.array([3, 0])),
        ("Categorical", {"probs": P}, np.array([0.5, 0])),
        ("OneHotCategorical", {"probs": P}, np.ones((2, 3))),
        ("Poisson", {"rate": S}, COUNTS - 1),
        ("Geometric", {"probs": P}, COUNTS + 0.5),
    ],
)
def test_bad_values(name, parameters, values):
    for t in (torch, tn):
        with pytest.raises(ValueError):
            made(t, name, parameters)[0].log_prob(t.from_numpy(values))


LAWS = {
    "Normal": lambda d: stats.norm(d.loc.item(), d.scale.item()),
    "LogNormal": lambda d: stats.lognorm(d.scale.item(), scale=np.exp(d.loc.item())),
    "Uniform": lambda d: stats.uniform(d.low.item(), d.high.item() - d.low.item()),
    "Exponential": lambda d: stats.expon(scale=1 / d.rate.item()),
    "Laplace": lambda d: stats.laplace(d.loc.item(), d.scale.item()),
    "Cauchy": lambda d: stats.cauchy(d.loc.item(), d.scale.item()),
    "Gamma": lambda d: stats.gamma(d.concentration.item(), scale=1 / d.rate.item()),
    "Beta": lambda d: stats.beta(d.concentration1.item(), d.concentration0.item()),
}
ONES = {n: {k: float(np.ravel(v)[0]) for k, v in p.items()} for n, p, _ in reversed(CASES) if n in LAWS}


@pytest.mark.parametrize("name", LAWS)
def test_draws_have_the_law(name):
    tn.manual_seed(5)
    d = getattr(tn.distributions, name)(**ONES[name])
    law, x = LAWS[name](d), d.sample((2000,))
    assert (x.dtype, x.shape, x.requires_grad) == (tn.float32, (2000,), False)
    assert stats.kstest(x.double().numpy(), law.cdf).pvalue > 1e-3
    y = x[:2]
    np.testing.assert_allclose(d.log_prob(y).numpy(), law.logpdf(y.double().numpy()), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d.entropy().item(), law.entropy(), rtol=1e-4)


@pytest.mark.parametrize(("name", "parameters", "values"), CASES)
def test_draws_have_the_moments_and_are_in_the_support(name, parameters, values):
    tn.manual_seed(7)
    p, (d, _) = made(torch, name, parameters)[0], made(tn, name, parameters)
    x = d.sample((3000,))
    assert tuple(x.shape) == tuple(p.sample((3000,)).shape)
    assert str(p.sample().dtype)[6:] == x.dtype.name
    d.log_prob(x)  # validates
    assert tuple(d.sample().shape) == (*d.batch_shape, *d.event_shape)
    assert tuple(d.sample((2, 0)).shape) == (2, 0, *d.batch_shape, *d.event_shape)
    if name == "Categorical":
        x, mean, variance = tn.nn.functional.one_hot(x, 3).double(), d.probs, d.probs * (1 - d.probs)
    else:
        mean, variance = d.mean, d.variance
    if name != "Cauchy":
        assert (((x.mean(0) - mean).abs() / (variance / 3000).sqrt().clamp(min=1e-12)) < 5).all()


def test_draws_are_functions_of_the_parameters():
    tn.manual_seed(1)
    for name, parameters in (("Normal", {"loc": A, "scale": S}), ("Laplace", {"loc": A, "scale": S})):
        d, (loc, scale) = made(tn, name, parameters, grad=True)
        x = d.rsample((2,))
        a, b = tn.autograd.grad(x.sum(), [loc, scale])
        np.testing.assert_allclose(a.numpy(), 2 + 0 * A)
        np.testing.assert_allclose(b.numpy(), ((x - loc) / scale).sum(0).detach().numpy(), rtol=1e-9)
    d, leaves = made(tn, "MultivariateNormal", {"loc": B, "covariance_matrix": SPD}, grad=True)
    assert all(g is not None for g in tn.autograd.grad(d.rsample((3,)).pow(2).sum(), leaves))
    concentration, rate = tn.tensor(2.0), tn.tensor(3.0, requires_grad=True)
    x = tn.distributions.Gamma(concentration, rate).rsample()
    np.testing.assert_allclose(tn.autograd.grad(x, rate)[0].item(), -x.item() / 3, rtol=1e-6)
    d = tn.distributions.Gamma(concentration.requires_grad_(), rate)
    with pytest.raises(NotImplementedError, match=r"Gamma\.rsample.*concentration"):
        d.rsample()
    assert not d.sample().requires_grad
    for name, *numbers in (("Beta", rate, 1.0), ("Dirichlet", tn.ones(2, requires_grad=True))):
        with pytest.raises(NotImplementedError, match=f"{name}.rsample.*concentration"):
            getattr(tn.distributions, name)(*numbers).rsample()


def test_rules_are_found_and_added():
    D = tn.distributions
    with pytest.raises(NotImplementedError, match="Normal and q type Poisson"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Poisson(1.0))
    with pytest.raises(TypeError, match="Distribution subclasses"):
        D.register_kl(int, D.Normal)

    class Mine(D.Normal):
        pass

    assert D.kl_divergence(Mine(0.0, 1.0), D.Normal(0.0, 1.0)).item() == 0  # that of its base

    @D.register_kl(Mine, D.Normal)
    def rule(p, q):
        return tn.tensor(42.0)

    assert D.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)).item() == 42
    del D.kl.RULES[Mine, D.Normal]


def test_what_is_shown():
    for parameters in ({"loc": A, "scale": S}, {"loc": 1.0, "scale": 2.5}):
        (p, _), (q, _) = made(torch, "Normal", parameters), made(tn, "Normal", parameters)
        assert repr(p).replace("torch", "tinynet") == repr(q)


def test_switching_validation_off():
    D = tn.distributions
    assert D.Normal(0.0, -1.0, validate_args=False).log_prob(tn.tensor(1.0)).isnan()
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(NotImplementedError, match=r"Poisson\.rsample"):
        D.Poisson(1.0).rsample()
    from tinynet.distributions.categorical import Categorical
    from tinynet.distributions.normal import Normal

    assert (Categorical, Normal) == (D.Categorical, D.Normal)
