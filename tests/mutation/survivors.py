"""Mutants that no check can find, each with the reason: (part of the name, why it computes the same)."""

from __future__ import annotations

EQUIVALENT: tuple[tuple[str, str], ...] = (
    ("shape.part: 1 → 2", "the slices after the concatenated axis may be left out: they take everything"),
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
    ("sum_to.forward: np.sum(x, axis=axes, keepdims=True, dtype=wide) → np.sum(x, axis=axes", "reshaped right after"),
    ("sum_to.forward: True → False", "reshaped right after"),
    ("alias overwrites its cotangent", "an alias comes before all else in its function: nobody reads after it"),
    ("indexing.scatter_add: flat.astype(x.dtype) → flat", "the engine casts a gradient to its input's dtype"),
    ("reduce.share: cast(sum_(", "a count that is an integer divides as well; the engine casts the quotient"),
    (
        "engine: deliver: owned.add(node) →",
        "a gradient that is nobody's own is added to in a new array: slower, and right",
    ),
    ("engine: fit: not graph and type(g) is not np.ndarray → not graph", "an array as an array is itself"),
    ("engine: prune: any(", "more than is needed is computed, and dropped"),
    ("engine: run: targets or () → targets", "only a backward into leaves has no targets; it has tests of its own"),
    ("engine: run: prune(order, wanted) → order", "gradients that lead nowhere are computed and dropped"),
    ("kernel pool.avg_pool_backward: 1 → 2", "the length of a window, or a step, along an axis of size 1"),
    ("kernel loss._gradients: max(count, 1) → count", "differs for no elements alone, which have no gradient"),
    ("kernel conv.conv_grad_input: channels == 1 and groups > 1 →", "either way computes it; one is faster"),
    ("kernel conv.conv_grad_input: groups > 1 →", "either way computes it; one is faster"),
    ("kernel conv.conv_grad_input: pixels, taps =", "sizes of blocks"),
    ("kernel conv.conv_grad_input: step * product(kernel_size) →", "sizes of blocks"),
    ("kernel conv.conv_grad_weight: 1 → 2 #4", "either way computes it; one is faster"),
    ("kernel conv.conv_grad_weight: channels == 1 and groups > 1 →", "either way computes it; one is faster"),
    ("elementwise._power_slope: where(regular, sub(y, 1), 1) →", "seen in second derivatives at x = y = 0 alone"),
    ("elementwise._power_slope: 1 → 2 #2", "seen in second derivatives at x = y = 0 alone"),
    ("kernel conv.conv_grad_bias: np.zeros(", "every element is written afterwards"),
    ("kernel conv._grad_weight: pixels + tile - 1 →", "at most one more tile, which is empty"),
    ("kernel conv_depthwise._dot: left, right = (a", "a product of numbers has no order"),
    ("kernel dropout.dropout_forward: 0.0 → 1.0", "p = 1 does not come to the kernel"),
    ("kernel dropout.dropout_forward: 1 → 2", "p = 1 does not come to the kernel"),
    ("kernel dropout.dropout_forward: 0.0 if p == 1", "p = 1 does not come to the kernel"),
    ("kernel dropout._apply_chunk: scale * 0 → 0", "zero in another width"),
    ("kernel embedding.embedding_backward: 1 → 2 #2", "-2 is as good as -1: no row has that number"),
    ("kernel embedding.embedding_backward: -1 if padding_idx is None", "no row has the number None"),
    ("kernel loss._bce_grad_chunk: x[i] < zero → x[i] <= zero", "both branches agree at 0"),
    ("kernel activation.relu_backward: 1 → 2", "the amount of work, which chooses a form and no result"),
    ("kernel activation.sigmoid_backward: 1 → 2", "the amount of work, which chooses a form and no result"),
    ("kernel activation.tanh_backward: 1 → 2", "the amount of work, which chooses a form and no result"),
    ("kernel softmax.softmax_backward: 2 → 3", "the amount of work, which chooses a form and no result"),
    ("kernel softmax._softmax_row_grad: _dot(dy[lo:lo + _RUN], y[lo:lo + _RUN]) → _dot(y", "a product has no order"),
    (
        "kernel softmax._softmax_block_grad: _add_products(dy[i][lo:hi], y[i][lo:hi], total) → _add_products(y",
        "nor here",
    ),
    ("kernel linear._column_sums: 63 → 64", "at most one more block, which is empty"),
    ("kernel linear._column_sums: (db.size + 63) // 64 →", "further blocks, which are empty"),
    ("kernel linear._sum_block: 64 → 65", "room for one more column, which no block has"),
)


def reason(name: str) -> str | None:
    """Why a mutant cannot be found; None if it should be."""
    return next((why for part, why in EQUIVALENT if part in name), None)
