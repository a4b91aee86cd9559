"""Laws of counts and classes. Each takes `probs` or `logits`, never both."""

from __future__ import annotations

import math
from typing import Any

import tinynet as tn
import tinynet.nn.functional as F
from tinynet import Tensor
from tinynet.errors import OptionError

from . import constraints as C
from .base import Distribution, broadcast, clamped, one_given, open_uniform


class _OfProbability(Distribution):
    """A probability, or its logit log(p / (1 − p)), for each element."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        one_given(type(self).__name__, probs, logits)
        name = "probs" if logits is None else "logits"
        (self.__dict__[name],) = broadcast(probs if logits is None else logits)
        super().__init__(self.__dict__[name].shape, (), validate_args)

    def __getattr__(self, name: str) -> Tensor:
        """The parameter that was not given, from the one that was."""
        if name == "probs" and "logits" in self.__dict__:
            return self.logits.sigmoid()
        if name == "logits" and "probs" in self.__dict__:
            p = clamped(self.probs)
            return p.log() - (-p).log1p()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def param_shape(self) -> tn.Size:
        """The shape of the parameter that was given."""
        return self._batch_shape


class Bernoulli(_OfProbability):
    """1 with probability p, else 0."""

    arg_constraints = {"probs": C.unit_interval, "logits": C.real}  # noqa: RUF012
    support = C.boolean
    has_enumerate_support = True

    @property
    def mean(self) -> Tensor:
        """p."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """1 where p > ½, 0 where p < ½, NaN where neither."""
        return (self.probs >= 0.5).to(self.probs.dtype).masked_fill(self.probs == 0.5, math.nan)

    @property
    def variance(self) -> Tensor:
        """p (1 − p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Ones and zeros in the dtype of the parameter."""
        with tn.no_grad():
            return tn.bernoulli(self.probs.expand(self._shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """x log p + (1 − x) log(1 − p)."""
        logits, x = broadcast(self.logits, self._checked(value))
        return -F.binary_cross_entropy_with_logits(logits, x.to(logits.dtype), reduction="none")

    def entropy(self) -> Tensor:
        """−p log p − (1 − p) log(1 − p)."""
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 and 1."""
        values = tn.arange(2, dtype=self.probs.dtype).view((2,) + (1,) * len(self._batch_shape))
        return values.expand((2, *self._batch_shape)) if expand else values


class Geometric(_OfProbability):
    """p(k) = (1 − p)^k p: the failures before the first success."""

    arg_constraints = {"probs": C.unit_interval, "logits": C.real}  # noqa: RUF012
    support = C.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None and not bool((self.probs > 0).all()):
            raise OptionError(f"Expected parameter probs of distribution {self!r} to be positive")

    @property
    def mean(self) -> Tensor:
        """1/p − 1."""
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        """0."""
        return tn.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        """(1/p − 1) / p."""
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """⌊log u / log(1 − p)⌋."""
        with tn.no_grad():
            p = self.probs
            return (open_uniform(self._shape(sample_shape), p).log() / (-p).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """k log(1 − p) + log p."""
        x, p = tn.broadcast_tensors(self._checked(value), self.probs)
        failure = tn.where((p == 1) & (x == 0), tn.zeros_like(p), p)
        return x * (-failure).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        """Bernoulli's over p."""
        return Bernoulli(logits=self.logits, validate_args=False).entropy() / self.probs


class Categorical(Distribution):
    """Class k of the last dimension with probability pₖ. Weights are normalised."""

    arg_constraints = {"probs": C.nonnegative, "logits": C.real_vector}  # noqa: RUF012
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        one_given(type(self).__name__, probs, logits)
        given = probs if logits is None else logits
        if given.dim() < 1:
            raise OptionError(
                f"`{'probs' if logits is None else 'logits'}` parameter must be at least one-dimensional."
            )
        if logits is None:
            self.probs = given / given.sum(-1, keepdim=True)
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], (), validate_args)

    def __getattr__(self, name: str) -> Tensor:
        """The parameter that was not given, from the one that was."""
        if name == "probs" and "logits" in self.__dict__:
            return self.logits.softmax(-1)
        if name == "logits" and "probs" in self.__dict__:
            return clamped(self.probs).log()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def param_shape(self) -> tn.Size:
        """The shape of the parameter that was given."""
        return tn.Size((*self._batch_shape, self._num_events))

    @property
    def support(self) -> C.Constraint:
        """0 … K − 1."""
        return C.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        """Classes have none: NaN."""
        return tn.full(self._batch_shape, math.nan, dtype=self.probs.dtype)

    @property
    def mode(self) -> Tensor:
        """The most probable class."""
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        """Classes have none: NaN."""
        return tn.full(self._batch_shape, math.nan, dtype=self.probs.dtype)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Classes, as int64."""
        shape = self._shape(sample_shape)
        n = tn.Size(shape[: len(shape) - len(self._batch_shape)]).numel()
        if 0 in shape:
            return tn.zeros(shape, dtype=tn.int64)
        rows = self.probs.detach().reshape(-1, self._num_events)
        return tn.multinomial(rows, n, True).t().reshape(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p of the class."""
        x = self._checked(value).long().unsqueeze(-1)
        shape = tn.broadcast_tensors(x, self.logits[..., :1])[0].shape[:-1]
        logits = self.logits.expand((*shape, self._num_events))
        return logits.gather(-1, x.expand((*shape, 1))).squeeze(-1)

    def entropy(self) -> Tensor:
        """−Σ p log p."""
        logits = self.logits.clamp(min=float(tn.finfo(self.logits.dtype).min))
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 … K − 1."""
        values = tn.arange(self._num_events).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values


class OneHotCategorical(Distribution):
    """Categorical, as vectors with a single 1."""

    arg_constraints = {"probs": C.simplex, "logits": C.real_vector}  # noqa: RUF012
    support = C.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def mean(self) -> Tensor:
        """p."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The vector of the most probable class."""
        return self._vectors(self.probs.argmax(-1))

    @property
    def variance(self) -> Tensor:
        """p (1 − p)."""
        return self.probs * (1 - self.probs)

    def _vectors(self, classes: Tensor) -> Tensor:
        return F.one_hot(classes, self._event_shape[0]).to(self.probs.dtype)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Vectors with a single 1."""
        with tn.no_grad():
            return self._vectors(self._categorical.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """log p of the class whose element is 1."""
        return self._categorical.log_prob(self._checked(value).argmax(-1))

    def entropy(self) -> Tensor:
        """−Σ p log p."""
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """The unit vectors."""
        n = self._event_shape[0]
        values = tn.eye(n, dtype=self.probs.dtype).view((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n, *self._batch_shape, n)) if expand else values

    def expand(self, batch_shape: Any, _instance: Any = None) -> OneHotCategorical:
        """The same law with its batch expanded to `batch_shape`."""
        new: OneHotCategorical = super().expand(batch_shape)
        new._categorical = self._categorical.expand(batch_shape)
        return new


class Poisson(Distribution):
    """p(k) = rate^k e^(−rate) / k!."""

    arg_constraints = {"rate": C.nonnegative}  # noqa: RUF012
    support = C.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """rate."""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """⌊rate⌋."""
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        """rate."""
        return self.rate

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Counts, in the dtype of the rate."""
        with tn.no_grad():
            return tn.poisson(self.rate.expand(self._shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """k log rate − rate − log k!."""
        x = self._checked(value)
        return tn.xlogy(x, self.rate) - self.rate - (x + 1).lgamma()
