"""Laws with a density, of one number, and Dirichlet's of a vector.

Densities and entropies: Johnson, Kotz, Balakrishnan, "Continuous Univariate Distributions", 1994.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import tinynet as tn
from tinynet import Tensor
from tinynet.errors import OptionError

from . import constraints as C
from .base import LOG_2PI, Distribution, broadcast, no_gradient, open_uniform

EULER = 0.57721566490153286


class Normal(Distribution):
    """p(x) = exp(−(x − loc)² / (2 scale²)) / (scale √(2π))."""

    arg_constraints = {"loc": C.real, "scale": C.positive}  # noqa: RUF012
    support = C.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """scale."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """scale²."""
        return self.scale**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + scale·ε with standard normal ε."""
        return self.loc + self.scale * tn.randn(self._shape(sample_shape), dtype=self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """−(x − loc)² / (2 scale²) − log scale − ½ log 2π."""
        return self._log_density(self._checked(value))

    def _log_density(self, x: Tensor) -> Tensor:
        z = (x - self.loc) / self.scale
        return -0.5 * z * z - self.scale.log() - 0.5 * LOG_2PI

    def cdf(self, value: Tensor) -> Tensor:
        """½ (1 + erf((x − loc) / (scale √2)))."""
        return self._below(self._checked(value))

    def _below(self, x: Tensor) -> Tensor:
        return 0.5 * (1 + tn.erf((x - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Tensor) -> Tensor:
        """loc + scale √2 erf⁻¹(2p − 1)."""
        return self.loc + self.scale * math.sqrt(2) * tn.erfinv(2 * value - 1)

    def entropy(self) -> Tensor:
        """½ + ½ log 2π + log scale."""
        return 0.5 + 0.5 * LOG_2PI + self.scale.log()


class LogNormal(Normal):
    """The law of e^x, x normal with `loc` and `scale`."""

    support = C.positive

    @property
    def mean(self) -> Tensor:
        """exp(loc + scale²/2)."""
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        """exp(loc − scale²)."""
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Tensor:
        """(exp(scale²) − 1) exp(2 loc + scale²)."""
        return (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp()

    @property
    def stddev(self) -> Tensor:
        """√variance."""
        return self.variance.sqrt()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """exp(loc + scale·ε)."""
        return super().rsample(sample_shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """log p_normal(log x) − log x."""
        y = self._checked(value).log()
        return self._log_density(y) - y

    def cdf(self, value: Tensor) -> Tensor:
        """The normal one of log x."""
        return self._below(self._checked(value).log())

    def icdf(self, value: Tensor) -> Tensor:
        """e to the normal one."""
        return super().icdf(value).exp()

    def entropy(self) -> Tensor:
        """The normal one + loc."""
        return super().entropy() + self.loc


class Uniform(Distribution):
    """p(x) = 1 / (high − low) on [low, high)."""

    arg_constraints = {"low": C.real, "high": C.real}  # noqa: RUF012
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise OptionError("Uniform is not defined when low>= high")

    @property
    def support(self) -> C.Constraint:
        """[low, high]."""
        return C.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        """(low + high) / 2."""
        return (self.low + self.high) / 2

    @property
    def mode(self) -> Tensor:
        """No value is more probable than the others: NaN."""
        return self.low * math.nan

    @property
    def variance(self) -> Tensor:
        """(high − low)² / 12."""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """low + (high − low) u."""
        u = tn.rand(self._shape(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """−log(high − low); −∞ outside."""
        x = self._checked(value)
        inside = ((self.low <= x) & (self.high > x)).type_as(self.low)
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        """(x − low) / (high − low), within [0, 1]."""
        return ((self._checked(value) - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """low + p (high − low)."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """log(high − low)."""
        return (self.high - self.low).log()


class Exponential(Distribution):
    """p(x) = rate·exp(−rate·x) for x ≥ 0."""

    arg_constraints = {"rate": C.positive}  # noqa: RUF012
    support = C.nonnegative
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """1 / rate."""
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        """0."""
        return tn.zeros_like(self.rate)

    @property
    def stddev(self) -> Tensor:
        """1 / rate."""
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        """1 / rate²."""
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """−log(1 − u) / rate."""
        return -(-open_uniform(self._shape(sample_shape), self.rate)).log1p() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """log rate − rate·x."""
        return self.rate.log() - self.rate * self._checked(value)

    def cdf(self, value: Tensor) -> Tensor:
        """1 − exp(−rate·x)."""
        return 1 - (-self.rate * self._checked(value)).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """−log(1 − p) / rate."""
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        """1 − log rate."""
        return 1.0 - self.rate.log()


class Laplace(Distribution):
    """p(x) = exp(−|x − loc| / scale) / (2 scale)."""

    arg_constraints = {"loc": C.real, "scale": C.positive}  # noqa: RUF012
    support = C.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """2 scale²."""
        return 2 * self.scale.pow(2)

    @property
    def stddev(self) -> Tensor:
        """√2 scale."""
        return math.sqrt(2) * self.scale

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """The inverse of the distribution function at a uniform number."""
        return self.icdf(open_uniform(self._shape(sample_shape), self.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        """−|x − loc| / scale − log(2 scale)."""
        return -(2 * self.scale).log() - (self._checked(value) - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """½ − ½ sign(x − loc) (exp(−|x − loc| / scale) − 1)."""
        d = self._checked(value) - self.loc
        return 0.5 - 0.5 * d.sign() * (-d.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """loc − scale·sign(p − ½) log(1 − 2|p − ½|)."""
        t = value - 0.5
        return self.loc - self.scale * t.sign() * (-2 * t.abs()).log1p()

    def entropy(self) -> Tensor:
        """1 + log(2 scale)."""
        return 1 + (2 * self.scale).log()


class Cauchy(Distribution):
    """p(x) = 1 / (π scale (1 + ((x − loc) / scale)²))."""

    arg_constraints = {"loc": C.real, "scale": C.positive}  # noqa: RUF012
    support = C.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """There is none: NaN."""
        return tn.full_like(self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """There is none: ∞."""
        return tn.full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """The inverse of the distribution function at a uniform number."""
        return self.icdf(open_uniform(self._shape(sample_shape), self.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        """−log π − log scale − log(1 + ((x − loc) / scale)²)."""
        z = (self._checked(value) - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - (z**2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """arctan((x − loc) / scale) / π + ½."""
        return tn.atan((self._checked(value) - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """loc + scale·tan(π (p − ½))."""
        return tn.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Tensor:
        """log(4π scale)."""
        return math.log(4 * math.pi) + self.scale.log()


def _gamma(shape: Any, concentration: Tensor) -> Tensor:
    """Draws of rate 1: the inverse of the distribution function at uniform numbers."""
    from scipy import special

    a = np.broadcast_to(concentration.detach().double().numpy(), tuple(shape))
    draws = special.gammaincinv(a, tn.rand(tuple(shape), dtype=tn.float64).numpy())
    return tn.from_numpy(np.asarray(draws)).to(concentration.dtype).clamp(min=float(tn.finfo(concentration.dtype).tiny))


class Gamma(Distribution):
    """p(x) = rate^a x^(a−1) exp(−rate·x) / Γ(a) with a = concentration."""

    arg_constraints = {"concentration": C.positive, "rate": C.positive}  # noqa: RUF012
    support = C.nonnegative
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast(concentration, rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """a / rate."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """(a − 1) / rate, at least 0."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """a / rate²."""
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws with a gradient with respect to the rate; NotImplementedError if one of `concentration` is asked for."""
        no_gradient("Gamma.rsample", concentration=self.concentration)
        return _gamma(self._shape(sample_shape), self.concentration) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """a log rate + (a − 1) log x − rate·x − log Γ(a)."""
        a, x = self.concentration, self._checked(value)
        return tn.xlogy(a, self.rate) + tn.xlogy(a - 1, x) - self.rate * x - a.lgamma()

    def entropy(self) -> Tensor:
        """a − log rate + log Γ(a) + (1 − a) ψ(a)."""
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()


class Dirichlet(Distribution):
    """p(x) = Γ(Σa) / ΠΓ(aₖ) · Π xₖ^(aₖ−1) over vectors with Σx = 1; a = concentration."""

    arg_constraints = {"concentration": C.positive_vector}  # noqa: RUF012
    support = C.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise OptionError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        """a / Σa."""
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        """(a − 1) / Σ(a − 1); a corner where all a are below 1."""
        a = (self.concentration - 1).clamp(min=0)
        mode, corner = a / a.sum(-1, True), (self.concentration < 1).all(-1, True)
        top = tn.nn.functional.one_hot(a.argmax(-1), a.shape[-1]).to(a.dtype)
        return tn.where(corner, top, mode)

    @property
    def variance(self) -> Tensor:
        """a (Σa − a) / (Σa² (Σa + 1))."""
        a, total = self.concentration, self.concentration.sum(-1, True)
        return a * (total - a) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Gamma draws over their sum, without a gradient: NotImplementedError if one is asked for."""
        no_gradient(f"{type(self).__name__}.rsample", concentration=self.concentration)
        x = _gamma(self._shape(sample_shape), self.concentration)
        return x / x.sum(-1, True)

    def log_prob(self, value: Tensor) -> Tensor:
        """Σ (a − 1) log x + log Γ(Σa) − Σ log Γ(a)."""
        a = self.concentration
        return tn.xlogy(a - 1.0, self._checked(value)).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        """Σ log Γ(a) − log Γ(Σa) − (K − Σa) ψ(Σa) − Σ (a − 1) ψ(a)."""
        a, k, total = self.concentration, self.concentration.shape[-1], self.concentration.sum(-1)
        spread = ((a - 1.0) * a.digamma()).sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - (k - total) * total.digamma() - spread


class Beta(Distribution):
    """p(x) = x^(a−1) (1 − x)^(b−1) Γ(a + b) / (Γ(a) Γ(b)) with a = concentration1, b = concentration0."""

    arg_constraints = {"concentration1": C.positive, "concentration0": C.positive}  # noqa: RUF012
    support = C.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast(concentration1, concentration0)
        super().__init__(self.concentration1.shape, (), validate_args)

    @property
    def _dirichlet(self) -> Dirichlet:
        return Dirichlet(tn.stack([self.concentration1, self.concentration0], -1), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """a / (a + b)."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        """(a − 1) / (a + b − 2)."""
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        """ab / ((a + b)² (a + b + 1))."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient: NotImplementedError if one is asked for."""
        no_gradient("Beta.rsample", concentration1=self.concentration1, concentration0=self.concentration0)
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        """(a − 1) log x + (b − 1) log(1 − x) + log Γ(a + b) − log Γ(a) − log Γ(b)."""
        x = self._checked(value)
        return self._dirichlet.log_prob(tn.stack([x, 1.0 - x], -1))

    def entropy(self) -> Tensor:
        """As Dirichlet's of two."""
        return self._dirichlet.entropy()
