"""The base of all distributions; and Independent, which counts batch dimensions as part of the event."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import numpy as np

import tinynet as tn
from tinynet import Size, Tensor
from tinynet.errors import OptionError, ShapeError

from .constraints import Constraint

REPARAMETRISED = "{}: gradients of the samples with respect to {} are not supported; use sample(), or no gradient"


class Distribution:
    """A law over events of shape `event_shape`, a batch of them of shape `batch_shape`.

    sample   draws of shape sample_shape + batch_shape + event_shape, without a gradient
    rsample  draws that are functions of the parameters, where `has_rsample`
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    validate: ClassVar[bool] = __debug__

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        self._validate_args = Distribution.validate if validate_args is None else validate_args
        for name, constraint in self.arg_constraints.items() if self._validate_args else ():
            value = self.__dict__.get(name)
            if value is not None and not bool(constraint.check(value).all()):
                raise OptionError(
                    f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of distribution {self!r} to "
                    f"satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their parameters and values unless told."""
        if value not in (True, False):
            raise OptionError(f"set_default_validate_args: expected True or False, got {value!r}")
        Distribution.validate = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters, without what belongs to one event."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one event."""
        return self._event_shape

    @property
    def support(self) -> Constraint:
        """The values that have a probability."""
        raise NotImplementedError(f"{type(self).__name__}.support")

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError(f"{type(self).__name__}.mean")

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise NotImplementedError(f"{type(self).__name__}.mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError(f"{type(self).__name__}.variance")

    @property
    def stddev(self) -> Tensor:
        """√variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient."""
        with tn.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws that are functions of the parameters."""
        raise NotImplementedError(f"{type(self).__name__}.rsample")

    def sample_n(self, n: int) -> Tensor:
        """n draws."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density or of the probability at `value`."""
        raise NotImplementedError(f"{type(self).__name__}.log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most `value`."""
        raise NotImplementedError(f"{type(self).__name__}.cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        raise NotImplementedError(f"{type(self).__name__}.icdf")

    def entropy(self) -> Tensor:
        """−E[log p]."""
        raise NotImplementedError(f"{type(self).__name__}.entropy")

    def perplexity(self) -> Tensor:
        """e^entropy."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete law, along a new first dimension."""
        raise NotImplementedError(f"{type(self).__name__}.enumerate_support")

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same law with its batch expanded to `batch_shape`."""
        shape, old = Size(batch_shape), len(self._batch_shape)
        new = object.__new__(type(self))
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor):
                event = value.shape[old:]
                value = value.expand((*shape, *event)) if value.ndim >= old else value
            new.__dict__[name] = value
        new._batch_shape = shape
        return new

    def _shape(self, sample_shape: Any) -> Size:
        sizes = tuple(sample_shape) if isinstance(sample_shape, tuple | list) else (sample_shape,)
        return Size((*sizes, *self._batch_shape, *self._event_shape))

    def _checked(self, value: Any) -> Tensor:
        """A value for log_prob, cdf or icdf, if its shape fits and (with validate_args) it is in the support."""
        if not isinstance(value, Tensor):
            raise OptionError("The value argument to log_prob must be a Tensor")
        shape = (*self._batch_shape, *self._event_shape)
        for a, b in zip(value.shape[::-1], shape[::-1], strict=False) if self._validate_args else ():
            if a != b and 1 not in (a, b):
                raise ShapeError(
                    f"Value of shape {tuple(value.shape)} is not broadcastable with batch_shape+event_shape {shape}."
                )
        if self._validate_args and not bool(self.support.check(value).all()):
            raise OptionError(
                f"Expected value argument (Tensor of shape {tuple(value.shape)}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )
        return value

    def __repr__(self) -> str:
        shown = [
            f"{name}: {value if value.numel() == 1 else value.size()}"
            for name in self.arg_constraints
            if (value := self.__dict__.get(name)) is not None
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def broadcast(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as floating-point tensors of one shape; numbers take the tensors' dtype."""
    tensors = [v for v in values if isinstance(v, Tensor)]
    if any(not isinstance(v, Tensor | int | float | np.number) for v in values):
        raise OptionError(f"expected numbers or Tensors as parameters, got {[type(v).__name__ for v in values]}")
    dtype = tensors[0].dtype if tensors else tn.get_default_dtype()
    return tn.broadcast_tensors(*(v if isinstance(v, Tensor) else tn.tensor(v, dtype=dtype) for v in values))


def one_given(where: str, probs: Any, logits: Any) -> None:
    """Raise OptionError unless exactly one of two parametrisations is there."""
    if (probs is None) == (logits is None):
        raise OptionError(f"{where}: Either `probs` or `logits` must be specified, but not both.")


def clamped(probs: Tensor) -> Tensor:
    """Probabilities away from 0 and 1 by ε of their dtype, so that their logarithms are finite."""
    eps = float(tn.finfo(probs.dtype).eps)
    return probs.clamp(eps, 1 - eps)


def no_gradient(where: str, **parameters: Tensor) -> None:
    """Raise NotImplementedError if a parameter asks for a gradient of samples that have none."""
    for name, p in parameters.items():
        if p.requires_grad and tn.is_grad_enabled():
            raise NotImplementedError(REPARAMETRISED.format(where, name))


def open_uniform(shape: Any, like: Tensor) -> Tensor:
    """Uniform draws within (0, 1), without either end."""
    info = tn.finfo(like.dtype)
    return tn.rand(shape, dtype=like.dtype).clamp(float(info.tiny), 1 - float(info.eps) / 2)


def sum_last(x: Tensor, n: int) -> Tensor:
    """The sum over the last n dimensions."""
    return x.sum(tuple(range(-n, 0))) if n else x


class Independent(Distribution):
    """A distribution whose last `reinterpreted_batch_ndims` batch dimensions are part of the event."""

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        shape, n = base_distribution.batch_shape, reinterpreted_batch_ndims
        if not 0 <= n <= len(shape):
            raise OptionError(
                f"Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual {n} vs {len(shape)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, n
        super().__init__(
            shape[: len(shape) - n], (*shape[len(shape) - n :], *base_distribution.event_shape), validate_args
        )

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the distribution within has it."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Constraint:
        """The support of the distribution within, event by event."""
        base, n = self.base_dist.support, self.reinterpreted_batch_ndims

        def inside(x: Tensor) -> Tensor:
            y = base.check(x)
            for _ in range(n):
                y = y.all(-1)
            return y

        return Constraint(f"IndependentConstraint({base!r}, {n})", inside, base.event_dim + n) if n else base

    @property
    def mean(self) -> Tensor:
        """The mean of the distribution within."""
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        """The mode of the distribution within."""
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        """The variance of the distribution within."""
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws that are functions of the parameters."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum over the event of the logarithms within."""
        return sum_last(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        """The sum over the event of the entropies within."""
        return sum_last(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Independent:
        """The same law with its batch expanded to `batch_shape`."""
        inner = self.event_shape[: self.reinterpreted_batch_ndims]
        return Independent(
            self.base_dist.expand((*batch_shape, *inner)), self.reinterpreted_batch_ndims, self._validate_args
        )

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


LOG_2PI = math.log(2 * math.pi)
