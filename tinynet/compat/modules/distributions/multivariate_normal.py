"""The normal law of a vector."""

from __future__ import annotations

from typing import Any

import tinynet as tn
from tinynet import Tensor
from tinynet.errors import OptionError

from . import constraints as C
from .base import LOG_2PI, Distribution


class MultivariateNormal(Distribution):
    """p(x) = exp(−½ (x − loc)ᵀ Σ⁻¹ (x − loc)) / √((2π)ⁿ det Σ); Σ = LLᵀ.

    One of covariance_matrix Σ, precision_matrix Σ⁻¹ and scale_tril L.
    """

    arg_constraints = {  # noqa: RUF012
        "loc": C.real_vector,
        "covariance_matrix": C.positive_definite,
        "precision_matrix": C.positive_definite,
        "scale_tril": C.lower_cholesky,
    }
    support = C.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        found = [(name, m) for name, m in given.items() if m is not None]
        if len(found) != 1:
            raise OptionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        name, matrix = found[0]
        if loc.dim() < 1:
            raise OptionError("loc must be at least one-dimensional.")
        if matrix.dim() < 2:
            raise OptionError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        batch, n = tn.broadcast_tensors(loc[..., 0], matrix[..., 0, 0])[0].shape, loc.shape[-1]
        self.loc = loc.expand((*batch, n))
        self.__dict__[name] = matrix.expand((*batch, n, n))
        super().__init__(batch, (n,), validate_args)
        if name == "covariance_matrix":
            self.scale_tril = tn.cholesky(self.covariance_matrix)
        elif name == "precision_matrix":
            # Σ⁻¹ reversed in rows and columns = GGᵀ gives L = (G reversed)⁻ᵀ, which is lower triangular
            g = tn.cholesky(self.precision_matrix.flip((-2, -1))).flip((-2, -1))
            self.scale_tril = tn.inverse(g.mT).tril()

    def __getattr__(self, name: str) -> Tensor:
        """The forms of Σ that were not given."""
        if name == "covariance_matrix" and "scale_tril" in self.__dict__:
            return self.scale_tril @ self.scale_tril.mT
        if name == "precision_matrix" and "scale_tril" in self.__dict__:
            return tn.inverse(self.covariance_matrix)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

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
        """The diagonal of Σ."""
        return self.scale_tril.pow(2).sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + Lε."""
        noise = tn.randn(self._shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """−½ |L⁻¹(x − loc)|² − Σ log Lᵢᵢ − ½ n log 2π."""
        d = self._checked(value) - self.loc
        z = solved(self.scale_tril, d)
        return -0.5 * (z.pow(2).sum(-1) + d.shape[-1] * LOG_2PI) - self._half_log_det()

    def entropy(self) -> Tensor:
        """½ n (1 + log 2π) + Σ log Lᵢᵢ."""
        return 0.5 * self._event_shape[0] * (1.0 + LOG_2PI) + self._half_log_det()


def solved(matrix: Tensor, vectors: Tensor) -> Tensor:
    """matrix⁻¹ · vectors over the common batch, of the lower triangle of the matrix alone."""
    n = vectors.shape[-1]
    shape = tn.broadcast_tensors(matrix[..., 0], vectors)[0].shape[:-1]
    return tn.linalg.solve(matrix.tril().expand((*shape, n, n)), vectors.expand((*shape, n)).unsqueeze(-1)).squeeze(-1)
