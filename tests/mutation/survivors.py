"""Mutants that no check can find, each with the reason: (part of the name, why it computes the same)."""

from __future__ import annotations

EQUIVALENT: tuple[tuple[str, str], ...] = (
    ("shape.part: 1 → 2", "the slices after the concatenated axis may be left out: they take everything"),
    ("conv._conv_to: 2: → 2 + 1:", "cutting an output to the size that it has already changes nothing"),
    ("conv._conv_to: 2 → 3", "cutting an output to the size that it has already changes nothing"),
    ("expand.dx: sum_to(dz, shape=shape) → dz", "the engine undoes the broadcast of any gradient that is too large"),
    (
        "linear.backward: k.linear_grad_bias(dy) → dy",
        "the engine undoes the broadcast of any gradient that is too large",
    ),
    ("indexing.is_basic: any(", "the way for repeated elements is right for others too, and slower"),
    ("shape.inverse: 0 → 1", "every place of the list is written afterwards"),
    ("pow.dx: ne(x, 0) → x", "a number is as good as its being other than 0"),
    ("pow.dx: ne(y, 0) → y", "a number is as good as its being other than 0"),
    ("elementwise._power_slope: where(regular, mul(", "at x = y = 0 the slope is y times a power that is finite, so 0"),
    ("sum_to.forward: n == 1 and x.shape[i + lead] != 1 → n == 1", "to sum over an axis of size 1 changes nothing"),
    ("sum_to.forward: np.asarray(", "NumPy's sum has that dtype unless halves are summed in float32"),
    ("sum_to.forward: np.sum(x, axis=axes, keepdims=True, dtype=wide) → np.sum(x, axis=axes", "reshaped right after"),
    ("sum_to.forward: True → False", "reshaped right after"),
    ("engine: run: prune(order, wanted) → order", "gradients that lead nowhere are computed and dropped"),
)


def reason(name: str) -> str | None:
    """Why a mutant cannot be found; None if it should be."""
    return next((why for part, why in EQUIVALENT if part in name), None)
