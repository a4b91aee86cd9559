"""PyTorch's `autograd.gradcheck` and `gradgradcheck`, done by the gradient-testing kit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinynet import autograd
from tinynet._tensor import Tensor, new_tensor
from tinynet.errors import OptionError
from tinynet.testing import check_vjp


class GradcheckError(RuntimeError):
    """A gradient that is wrong, or cannot be told from noise; the message is the kit's report."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float | None = None,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool | None = None,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` at `inputs` are right: `tinynet.testing.check_vjp` with PyTorch's name.

    inputs           a Tensor, or a sequence of tensors and whatever else `func` takes; of those that require a gradient,
                     and are floating, the gradient is checked
    atol, rtol       what a gradient may be off by, at the most: the kit's own bounds are narrower, and it uses the
                     narrower ones where `rtol` is 1e-3 and `atol` 1e-5, PyTorch's defaults
    raise_exception  raise GradcheckError with the kit's report, else return False

    The kit chooses its own steps and directions and always looks at dtypes and determinism, so that `eps`, `fast_mode`,
    `check_grad_dtypes` and `check_undefined_grad` change nothing. Raises OptionError where no input requires a gradient;
    NotImplementedError for forward-mode and batched gradients, tolerated nondeterminism, and masked ones.
    """
    for name, value in (
        ("check_batched_grad", check_batched_grad),
        ("check_batched_forward_grad", check_batched_forward_grad),
        ("check_forward_ad", check_forward_ad),
        ("check_backward_ad=False", not check_backward_ad),
        ("masked", masked),
        ("nondet_tol", nondet_tol),
    ):
        if value:
            raise NotImplementedError(f"gradcheck: {name} is not supported")
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    chosen = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad and x.dtype.is_floating_point]
    if not chosen:
        raise OptionError("gradcheck: expected at least one input that requires a gradient, got none")

    def function(*xs: Any) -> Any:
        values = list(given)
        for i, x in zip(chosen, xs, strict=True):
            values[i] = x
        out = func(*values)
        return tuple(out) if isinstance(out, list) else out

    arrays = [np.array(given[i].detach().numpy()) for i in chosen]
    wider: dict[str, Any] = {} if (atol, rtol) == (1e-5, 1e-3) else {"atol": atol, "rtol": rtol}
    report = check_vjp(function, arrays, name=getattr(func, "__name__", "func"), **wider)
    if report.passed or not raise_exception:
        return report.passed
    raise GradcheckError(str(report))


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    gen_non_contig_grad_outputs: bool = False,
    **options: Any,
) -> bool:
    """Whether the second derivatives of `func` at `inputs` are right: `gradcheck` of its gradient.

    grad_outputs  the cotangents at which the gradient is taken; drawn, if not given
    options       those of `gradcheck`
    """
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    wanted = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if grad_outputs is None:
        draws = np.random.default_rng(0)
        cotangents = [
            new_tensor(np.asarray(draws.standard_normal(y.array.shape), y.array.dtype)).requires_grad_()
            for y in _outputs(func(*given))
        ]
    else:
        cotangents = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if gen_non_contig_grad_outputs:
        cotangents = [_strided(v) for v in cotangents]

    def gradient(*arguments: Any) -> tuple[Tensor, ...]:
        values = list(arguments)
        for i in wanted:
            values[i] = values[i] if values[i].requires_grad else values[i].detach().requires_grad_()
        found = autograd.grad(
            _outputs(func(*values[: len(given)])),
            [values[i] for i in wanted],
            values[len(given) :],
            create_graph=True,
            materialize_grads=True,
        )
        return tuple(g for g in found if g is not None)

    return gradcheck(gradient, [*given, *cotangents], **options)


def _outputs(out: Any) -> list[Tensor]:
    """The tensors among a function's results that a gradient comes from."""
    return [y for y in ([out] if isinstance(out, Tensor) else out) if isinstance(y, Tensor) and y.requires_grad]


def _strided(v: Tensor) -> Tensor:
    """The same numbers, each second element of an array."""
    wide = np.repeat(v.array[..., None], 2, axis=-1)
    return new_tensor(wide[..., 0]).requires_grad_(v.requires_grad)
