"""A weight divided by its largest singular value, by a hook that runs before forward: PyTorch's older form."""

from __future__ import annotations

from typing import Any, TypeVar

from ..._tensor import Tensor
from ...autograd.modes import no_grad
from ...errors import GraphError, OptionError
from ...ops import creation, shape
from ...ops import primitives as P
from ...ops.distance import normalize
from ...ops.linalg import dot, mv
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from ..parameter import Parameter
from .weight_norm import found

_M = TypeVar("_M", bound=Module)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight as a matrix whose rows are the indices of one dimension."""
    if dim:
        weight = P.permute(weight, axes=(dim, *(i for i in range(weight.ndim) if i != dim)))
    return shape.reshape(weight, weight.array.shape[0], -1)


def rows_of(module: Module, dim: int | None) -> int:
    """The dimension of the outputs: 1 for transposed convolutions, else 0."""
    transposed = isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d)
    return int(transposed) if dim is None else dim


def random_direction(n: int, weight: Tensor, eps: float) -> Tensor:
    """A vector of length 1."""
    return normalize(creation.randn(n, dtype=weight.dtype), dim=0, eps=eps)


class SpectralNorm:
    """The hook of `spectral_norm`."""

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise OptionError(f"spectral_norm: n_power_iterations must be > 0, got {n_power_iterations}")
        self.name, self.dim, self.n_power_iterations, self.eps = name, dim, n_power_iterations, eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """W/(uᵀWv), after some steps v ← Wᵀu/‖Wᵀu‖, u ← Wv/‖Wv‖."""
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalize(mv(P.permute(matrix, axes=(1, 0)), u), dim=0, eps=self.eps))
                    u.copy_(normalize(mv(matrix, v), dim=0, eps=self.eps))
            u, v = P.clone(u), P.clone(v)  # the graph keeps them, the next step overwrites them
        return P.div(weight, dot(u, mv(matrix, v)))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: _M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> _M:
    """Divide a parameter by its largest singular value, estimated by power iteration at each forward in training.

    The parameter is `name`_orig then; the buffers `name`_u and `name`_v hold the singular vectors.
    dim  the dimension of the rows; 0 by default, 1 for transposed convolutions.

    Raises GraphError where there is one already. Source: Miyato, Kataoka, Koyama, Yoshida, ICLR 2018.
    """
    if found(module, SpectralNorm, name):
        raise GraphError(f"spectral_norm: {name!r} has a spectral_norm already")
    hook, weight = SpectralNorm(name, n_power_iterations, rows_of(module, dim), eps), module._parameters[name]
    if weight is None:
        raise OptionError(f"spectral_norm: the parameter {name!r} is None")
    rows, columns = as_matrix(weight.detach(), hook.dim).array.shape
    u, v = (random_direction(n, weight, eps) for n in (rows, columns))
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: _M, name: str = "weight") -> _M:
    """Make the divided weight a plain parameter. Raises OptionError where there is no spectral_norm."""
    there = found(module, SpectralNorm, name)
    if there is None:
        raise OptionError(f"remove_spectral_norm: there is no spectral_norm of {name!r} in {module}")
    weight = there[1].compute_weight(module, False).detach()
    for attribute in (name, f"{name}_u", f"{name}_v", f"{name}_orig"):
        delattr(module, attribute)
    module.register_parameter(name, Parameter(weight))
    del module._forward_pre_hooks[there[0]]
    return module
