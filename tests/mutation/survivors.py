"""Mutants that no check can find, each with the reason: (part of the name, why it computes the same).

A part that ends in $ is the end of the name.
"""

from __future__ import annotations

from tests.mutation.kernel_survivors import OF_KERNELS

EQUIVALENT: tuple[tuple[str, str], ...] = (
    *OF_KERNELS,
    ("decomposition._by: _raw(row) → row$", "of an array it is the array"),
    ("decomposition._by: _raw(x) → x$", "of an array it is the array"),
    ("decomposition._by: 1 → 2$", "where it is 0, any other number will do"),
    ("var.backward: dy.reshape(mean.shape).astype(np.float64) → dy.reshape(mean.shape)$", "of float64 it is the same"),
    ("var.backward: dy.reshape(mean.shape) → dy$", "the kernel takes its numbers one after another"),
    ("probability_functions._at_zero: kind(value) → value$", "the same number"),
    *(
        (f"selection._extreme_share: {change}$", "an extreme is one of the elements, and counts are whole numbers")
        for change in (
            "np.maximum(count, 1).astype(raw[2].dtype) → np.maximum(count, 1)",
            "np.maximum(count, 1) → count",
            "np.maximum(count, 1) → np.maximum(1, count)",
            "same.astype(raw[2].dtype) → same",
            "hit.astype(raw[2].dtype) → hit",
        )
    ),
    ("matrix_equation._matrix_exp_grad: -1 → 1$", "of a square matrix"),
    ("matrix_equation._matrix_exp_grad: 1 → 2$", "of a square matrix"),
    ("decomposition._over: 1 → 2 #2$", "where it is 0, any other number will do"),
    ("decomposition._svd_grad: m > k → m >= k$", "what is added is 0"),
    ("decomposition._svd_grad: n > k → n >= k$", "what is added is 0"),
    ("expand.forward: if x.flags.writeable: → if not", "whether a view may be written to; it has tests of its own"),
    ("expand.forward: True → False$", "as above"),
    ("engine: Primitive.backward: self.gradients * len(needs) if", "more rules than inputs: the first ones are taken"),
    ("shape.part: 1 → 2", "the slices after the concatenated axis may be left out: they take everything"),
    ("expand.dx: sum_to(dz, shape=shape) → dz", "the engine undoes the broadcast of any gradient that is too large"),
    (
        "linear.backward: k.linear_grad_bias(dy) → dy",
        "the engine undoes the broadcast of any gradient that is too large",
    ),
    ("indexing.is_basic: any(", "the way for repeated elements is right for others too, and slower"),
    ("shape.inverse: 0 → 1", "every place of the list is written afterwards"),
    ("pow.dx: logical_or(ne(x, 0), ne(y, 0)) → ne(y, 0)", "at y = 0 the slope is 0 either way"),
    ("pow.dx: ne(x, 0) → x", "a number is as good as its being other than 0"),
    ("pow.dx: ne(y, 0) → y", "a number is as good as its being other than 0"),
    ("elementwise._power_slope: where(regular, mul(", "at x = y = 0 the slope is y times a power that is finite, so 0"),
    ("sum_to.forward: n == 1 and x.shape[i + lead] != 1 → n == 1", "to sum over an axis of size 1 changes nothing"),
    ("sum_to.forward: np.sum(x, axis=axes, keepdims=True, dtype=wide) → np.sum(x, axis=axes", "reshaped right after"),
    ("sum_to.forward: True → False", "reshaped right after"),
    ("anchor.dlike is ", "zeros scaled, moved or turned are zeros; zeros and one are found"),
    ("anchor.dx: anchor(dz, like) → dz", "the gradient then requires none, and its own is zeros either way"),
    *(
        (
            f"ctc_loss.backward: {change}",
            "to add p times a number is seen in no gradient of logits; it has tests of its own",
        )
        for change in (
            "np.arange(frames)[:, None] < input_lengths →",
            "np.where(inside, np.exp(logp), 0) →",
            "np.where(impossible, 0 if zero_infinity ",
            "np.where(impossible, 0 if zero_infinity else np.nan, dy) →",
            "0 if zero_infinity else np.nan → 0",
            "0 → 1 #7$",
        )
    ),
    *(
        (f"ctc_loss.backward: {change}", "what is masked, or scaled by 0, right after")
        for change in (
            "np.where(inside, np.exp(share - np.where",
            "np.where(impossible, 0, likelihood) →",
            "0 → 1 #4$",
            "0 → 1 #5$",
            "0 → 1 #6$",
            "np.where(inside, grad * scale[:, None], dtype.type(0)) →",
        )
    ),
    ("ctc_loss.backward: likelihood < IMPOSSIBLE → likelihood <=", "no likelihood is that number"),
    ("ctc_loss.backward: np.maximum(2 * target_lengths - k, 0) → np.maximum(0, ", "the larger of the same two"),
    (
        "ctc_loss.backward: _log_sum(follows[:, :-2], follows[:, 1:- … :, 2:] + skipped) → _log_sum(",
        "the sum in another order",
    ),
    ("ctc._log_sum: np.maximum(a, b) → np.maximum(b, a)$", "the larger of the same two"),
    ("ctc._log_sum: np.maximum(most, c, out=most) → np.maximum(c,", "the larger of the same two"),
    ("anchor reads what the call before saved", "of what it saves nothing but the place in the graph counts"),
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
    ("elementwise._power_slope: where(regular, sub(y, 1), 1) →", "seen in second derivatives at x = y = 0 alone"),
    ("elementwise._power_slope: 1 → 2 #2", "seen in second derivatives at x = y = 0 alone"),
    ("rms_norm.backward: None if w is None", "the engine drops a gradient that nobody asked for"),
    ("layer_norm.backward: None if w is None", "the engine drops a gradient that nobody asked for"),
    ("layer_norm.backward: None if b is None", "the engine drops a gradient that nobody asked for"),
    ("_cholesky_grad: P.swap(s) →", "the record's own step makes its argument symmetric; it has a test of its own"),
    (
        "decomposition._eigh_grad: P.swap(dx) →",
        "the record's own step makes its argument symmetric; it has a test of its own",
    ),
    *(
        (f"decomposition.{where}", "of a square matrix, or of a batch that is as long")
        for where in ("_eigh_grad: -1 → 1$", "_eigh_grad: 1 → 2$", "_over: -1 → 1$", "_over: 1 → 2$")
    ),
    ("probability_functions._at_zero: kind(1) → 1", "where it is 0, any other number will do"),
    ("probability_functions._at_zero: 1 → 2", "where it is 0, any other number will do"),
    ("decomposition._over: _raw(x) == 0 → _raw(x) != 0$", "of equal values, which have a test of their own"),
    ("decomposition._over: 0 → 1 #2$", "of equal values, which have a test of their own"),
    ("decomposition._over: _raw(gaps) → gaps$", "of an array it is the array"),
    ("decomposition._over: _raw(x) → x$", "of an array it is the array"),
    (
        "decomposition._over: np.eye(gaps.shape[-1], dtype=bool) →",
        "beside the diagonal, values that are equal have no gradient",
    ),
    *(
        (f"{name} overwrites its cotangent", "what comes in is a sum of the factors' cotangents, made for it alone")
        for name in ("qr", "eigh", "svd")
    ),
    ("take_rows overwrites its cotangent", "what comes in is a kernel's result, made for it alone"),
    ("diagonal.dx: -1 → 1", "the last two dimensions have one size"),
    ("diagonal.dx: 1 → 2", "the last two dimensions have one size"),
    (
        "_cholesky_grad: (np.tri(n) - 0.5 * np.eye(n)).astype(kind) →",
        "the engine casts a gradient to its input's dtype",
    ),
)


def reason(name: str) -> str | None:
    """Why a mutant cannot be found; None if it should be."""
    return next((why for part, why in EQUIVALENT if part in f"{name}$"), None)
