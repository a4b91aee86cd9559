"""Mutants of kernels that no check can find, each with the reason; as in survivors.py."""

from __future__ import annotations

OF_KERNELS: tuple[tuple[str, str], ...] = (
    (
        "kernel recurrent_lstm._lstm_block_back: w_hr.shape[0] * w_hr.shape[2] → w_hr.shape[2]$",
        "of projections of more than one panel, which have a test of their own",
    ),
    ("kernel attention_tiles.fill_masked: skew + i → i$", "the plain form's products leave out exactly what is masked"),
    (
        "kernel attention_tiles.keep: 4 → 5 #4$",
        "which words: forward and backward take the same; it has a test of its own",
    ),
    ("kernel attention_tiles.keep: i % 4 → i$", "as above"),
    ("kernel attention_tiles.table: 0 → 1$", "what stands for no stride is replaced right after"),
    *(
        (
            f"kernel attention_tiles.add_over_keys: {change}$",
            "the plain form takes one vector at a time, and rows of scratch",
        )
        for change in ("outer_vectors(vectors - v) → vectors - v", "vectors - v → vectors", "2 → 3", "m - i → m + i")
    ),
    *(
        (f"kernel recurrent_lstm._projection: {change}$", "what stands for no projection, which nobody reads")
        for change in ("0 → 1", "0 → 1 #2", "0 → 1 #3")
    ),
    ("kernel pointwise._softplus_grad_chunk: dy[i] if v > threshold", "beyond the threshold, 20, σ is 1 but for 2e-9"),
    ("kernel pointwise._softplus_grad_chunk: v > threshold → v >= threshold$", "as above"),
    ("kernel reduce.deviations_last: 1 → 2$", "how finely the work is divided"),
    ("kernel reduce.deviations_last: -(-columns // _CHUNK) → -columns // _CHUNK$", "how finely the work is divided"),
    (
        "kernel reduce._deviations: (np.float64(centre) - mean[r]) * scale[r] → np",
        "what rounding leaves is 0 in float64",
    ),
    ("kernel pool.avg_pool_backward: 1 → 2", "the length of a window, or a step, along an axis of size 1"),
    ("kernel loss._gradients: max(count, 1) → count", "differs for no elements alone, which have no gradient"),
    ("kernel attention_tiles.add_over_keys: 3 → 4", "the plain form takes one vector at a time"),
    ("kernel recurrent._pack_rows: min(lanes, filled - v) →", "what is copied too much is overwritten right after"),
    ("kernel recurrent._pack_rows: filled - v → filled + v", "what is copied too much is overwritten right after"),
    ("kernel recurrent._pack_rows: columns // VECTORS → columns", "the plain form moves any number at a time"),
    *(
        (f"kernel recurrent._pack_rows: {part} →", "what stands behind the last column is multiplied, and dropped")
        for part in (
            "at + (i + 1) * columns",
            "at + i * columns + filled:at + (i + 1) * columns",
            "panels[at + i * columns + filled:at + (i + 1) * columns] = 0",
            "i + 1",
        )
    ),
    ("kernel recurrent._sum: x[j] + y[j] →", "of the forward alone, whose values are tested: in the backward y is 0"),
    ("kernel recurrent._weight_block: min(lanes, size - i) →", "the plain form turns any number at a time"),
    ("kernel recurrent._weight_block: x.shape[2] // VECTORS →", "the plain form turns any number at a time"),
    *(
        (
            f"kernel attention_tiles.scores: {change}",
            "the plain form takes one vector at a time; what is masked is computed",
        )
        for change in (
            "_rows_3(*args) →",
            "_rows_2(*args) →",
            "3 → 4$",
            "vectors - v →",
            "outer_vectors(",
            "skew + i →",
        )
    ),
    ("kernel attention_tiles.turned: 1 → 2$", "a factor of 1 changes nothing"),
    ("kernel attention_tiles.turned: xo + i * ldx + j if i < rows", "there are no rows beyond the last"),
    ("kernel attention_tiles.turned: i < rows → i <= rows$", "there are no rows beyond the last"),
    ("kernel attention_tiles.turned: max(0, min(lane, rows - i)) → min(", "there are no rows beyond the last"),
    ("kernel attention_tiles.fill_masked: min(QUERIES, skew + i) →", "the rows behind are masked that far, too"),
    ("kernel attention_tiles.fill_masked: 0 → 1$", "blocks of keys are whole numbers of blocks of queries"),
    ("kernel attention_tiles.fill_masked: max(0, 1 - skew) → 1 - skew", "as above"),
    *(
        (f"kernel attention_tiles.keep: {change}", "the counter's lower half wraps in a test of its own")
        for change in ("keys[3] + np.uint64(local[2] < start) →", "local[2] < start →")
    ),
    (
        "kernel attention_tiles.keep: words[i // 4, i % 4] >= least → words[i // 4, i % 4] > least",
        "one word of 2 ** 32",
    ),
    ("kernel attention_tiles.keep: np.uint64((rows + 3) // 4) → (rows + 3) // 4", "the same number"),
    ("kernel attention_tiles.add_over_queries: 2 → 3", "the plain form takes one vector at a time"),
    ("kernel attention_tiles.add_over_queries: 3 → 4", "the plain form takes one vector at a time"),
    ("kernel attention_tiles.add_over_queries: v < vectors and first < depth →", "a product over nothing adds nothing"),
    ("kernel attention_tiles.add_over_keys: v < vectors and some > 0 →", "a product over nothing adds nothing"),
    ("kernel attention.attention_backward: -length // QUERIES →", "how finely the work is divided"),
    ("kernel attention.attention_backward: -(-length // QUERIES) →", "how finely the work is divided"),
    ("kernel attention.attention_backward: 1 → 2 #8$", "how finely the work is divided"),
    ("kernel attention.attention_backward: 1 → 2$", "the order in memory of a result"),
    ("kernel attention.attention_backward: 0 → 1 #2$", "the shape of one part, which is that of any"),
    ("kernel attention._backward_run: dk0 + i * lddk → dk0", "the rows before are zeros already"),
    *(
        (
            f"kernel attention_tiles.dropout_table: {change}",
            "seeds of the calls are small; the kernel has a test of large ones",
        )
        for change in ("4294967295 →", "2 ** 64 - 1 →", "32 → 33", "64 → 65", "2 → 3", "1 → 2$")
    ),
    *(
        (f"kernel attention_tiles.dropout_table: {change}", "without dropout nobody reads them")
        for change in ("1.0 → 2.0$", "np.uint32(0) → 0$", "0 → 1 #2$")
    ),
    ("kernel conv.conv_grad_input: images * groups →", "how finely the work is divided"),
    ("kernel conv.conv_grad_weight: images * groups →", "how finely the work is divided"),
    ("kernel conv.conv_grad_weight: 1 → 2 #5", "how finely the work is divided"),
    ("kernel conv.conv_grad_weight: max(1, min(channels, _SUM_BYTES", "how finely the work is divided"),
    ("kernel conv.conv_grad_weight: min(channels, _SUM_BYTES", "how finely the work is divided"),
    ("kernel conv.conv_grad_weight: 0 → 1 #3", "which layout of the source is cheaper, no other than both are right"),
    ("kernel conv._grad_weight: (worker + 1) * chunks → chunks", "there is one worker"),
    ("kernel conv._turn: min(lanes, pixels - p) → pixels - p", "the plain form of a vector has room for more"),
    ("kernel conv._outer: columns // lanes - v →", "the plain form takes one vector at a time"),
    ("kernel conv._outer: outer_vectors(columns // lanes - v) →", "the plain form takes any number of vectors"),
    ("kernel conv.conv_grad_weight: part * per_channel → per_channel #3", "the plain form takes one channel at a time"),
    ("kernel conv._outer: range(0, offsets.size, height) → range(0, offsets.size - 1", "a multiple of the height"),
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
    ("kernel activation.gelu_backward: 2 → 3", "the amount of work, which chooses a form and no result"),
    ("kernel activation.gelu_backward: 2 * _EXP →", "the amount of work, which chooses a form and no result"),
    ("kernel activation.run_backward: v.size * cost →", "the amount of work, which chooses a form and no result"),
    ("kernel cross_entropy._planes: (shape[0], _classes(x)) if shape[1] == 1", "columns of one are rows, and slower"),
    ("kernel softmax._layout: (outer, x.shape[axis]) if width == 1", "columns of one are rows, and slower"),
    ("kernel softmax._softmax_columns_grad: min((k % blocks + 1)", "columns that are computed twice come out the same"),
    ("kernel softmax._softmax_columns_grad: k % blocks * BLOCK → k % blocks", "as above"),
    ("kernel softmax._softmax_columns_grad: 1 → 2", "as above"),
    (
        "kernel softmax._log_softmax_columns_grad: min((k % blocks + 1)",
        "columns that are computed twice come out the same",
    ),
    ("kernel softmax._log_softmax_columns_grad: k % blocks * BLOCK → k % blocks", "as above"),
    ("kernel softmax._log_softmax_columns_grad: k % blocks → k #2$", "as above"),
    ("kernel softmax._log_softmax_columns_grad: 1 → 2", "as above"),
    ("kernel cross_entropy._rows_grad: 0 → 1", "the weight of the only class: its gradient is 0"),
    ("kernel cross_entropy._subtract: 0 → 1", "the weight of the only class: its gradient is 0"),
    (
        "kernel loss.bce_with_logits_grad_target: np.multiply(scale.reshape(x.shape), -x, out=dy) →",
        "a product has no order",
    ),
    (
        "kernel cross_entropy._divided: a * math.inf →",
        "no weight at all: the loss is NaN, and has no gradient to check",
    ),
    ("kernel softmax.softmax_backward: 2 → 3", "the amount of work, which chooses a form and no result"),
    ("kernel softmax._softmax_row_grad: _dot(dy[lo:lo + _RUN], y[lo:lo + _RUN]) → _dot(y", "a product has no order"),
    (
        "kernel softmax._softmax_block_grad: _add_products(dy[i][lo:hi], y[i][lo:hi], total) → _add_products(y",
        "nor here",
    ),
    ("kernel linear._column_sums: 63 → 64", "at most one more block, which is empty"),
    ("kernel linear._column_sums: (db.size + 63) // 64 →", "further blocks, which are empty"),
    ("kernel linear._sum_block: 64 → 65", "room for one more column, which no block has"),
    ("kernel moments.line_products: np.uintp(", "an unsigned number is a plain one where nothing is compiled"),
    ("kernel moments.scaled_line_products: np.uintp(", "an unsigned number is a plain one where nothing is compiled"),
    ("kernel moments.column_products: np.uintp(", "an unsigned number is a plain one where nothing is compiled"),
    ("kernel norm._backward_block: np.uintp(", "an unsigned number is a plain one where nothing is compiled"),
    ("kernel norm._row_gradient: np.uintp(", "an unsigned number is a plain one where nothing is compiled"),
    ("kernel norm._scale_row: np.uintp(", "an unsigned number is a plain one where nothing is compiled"),
    ("kernel norm._backward_columns: mean.size + per_block - 1 →", "at most one more block, which is empty"),
    ("kernel norm._backward_columns: block * per_block → block", "columns that are computed twice come out the same"),
    ("kernel norm._backward_columns: 1 → 2 #2", "columns that are computed twice come out the same"),
    ("kernel norm._backward_columns: min((block + 1) * per_block", "columns that are computed twice come out the same"),
    ("kernel norm._per_block: 1 → 2", "sizes of blocks"),
    ("kernel norm.batch_norm_backward: _per_block(size) → size", "sizes of blocks"),
    ("kernel norm.batch_norm_backward: size < _SHORT →", "either way computes it; one is faster"),
    ("kernel norm._coefficients: products + rest * total →", "what rounding the mean leaves is 0 in float64"),
    ("kernel reduce._scaled: (x[i] - centre) * scale + rest → (x[i] - centre) * scale", "as above"),
    ("kernel norm._coefficients: factor * total / count + slope * rest →", "as above"),
    ("kernel norm._coefficients: slope * rest → rest", "as above"),
    ("kernel row_norm._group_backward: two + rest * one → two", "as above"),
    *(
        (f"kernel row_norm.{change}", "what rounding the mean leaves is 0 in float64; float32 has a test of its own")
        for change in (
            "_row_numbers: (np.float64(centre) - mean[r]) * rstd[r] → np.float64(centre) - mean[r]$",
            "_row_numbers: (np.float64(centre) - mean[r]) * rstd[r] → (np.float64(centre) - mean[r]) / rstd[r]$",
            "_row_products: (x[r, i] - centre) * scale + rest → (x[r, i] - centre) * scale",
            "_row_gradient: (x[r, i] - centre) * scale + rest → (x[r, i] - centre) * scale",
            "_add_products: (x[r, i] - first[0]) * first[1] + first[2] →",
            "_add_products: (x[r + 3, i] - fourth[0]) * fourth[1] + fourth[2] →",
            "_add_row: (x[r, i] - numbers[0]) * numbers[1] + numbers[2] → (x[r, i] - numbers[0]) * numbers[1]",
        )
    ),
    ("kernel row_norm._chunk_backward: np.uintp(1) → 1$", "the same number"),
    ("kernel row_norm._chunk_backward: np.uintp(2) → 2$", "the same number"),
    ("kernel row_norm.layer_norm_backward: _cancel(dx) →", "it makes of a rounding the 0 that it stands for"),
    (
        "kernel row_norm.layer_norm_backward: sums.sum(axis=0, dtype=np.float64).astype(",
        "the engine casts a gradient to its input's dtype",
    ),
    ("kernel pointwise._numbers: np.array(values, x.dtype) → values", "numbers of Python are float64"),
    ("kernel pointwise._exponential_grad_chunk: zero if v > zero else v →", "above 0 the exponential is not taken"),
    ("kernel pointwise._exponential_grad_chunk: v > zero → v >= zero$", "0 in place of 0"),
    ("kernel recurrent_lstm._lstm_steps_back: batch + block - 1 →", "one more block, which is empty"),
    (
        "kernel recurrent_lstm._lstm_steps_back: min(batch, (k + 1) * block) → (k + 1) * block$",
        "a step has no more rows than are left",
    ),
    ("kernel recurrent._rnn_steps_back: batch + block - 1 →", "one more block, which is empty"),
    (
        "kernel recurrent._rnn_steps_back: min(batch, (k + 1) * block) → (k + 1) * block$",
        "a step has no more rows than are left",
    ),
    ("kernel recurrent._rnn_block_back: hi - lo → hi + lo", "a larger scratch"),
    ("kernel pointwise.mish_backward: 4", "how much work is worth threads"),
    ("kernel pointwise.pieces_backward: 1 → 2 #4$", "how much work is worth threads"),
    ("kernel recurrent.rnn_backward: any(needs[2:]) →", "the engine drops a gradient that nobody asked for"),
    (
        "kernel recurrent.add_product: columns - p * panel + lanes - 1 → columns - p * panel + lanes",
        "one vector of padding",
    ),
    ("kernel recurrent.add_product: columns - p * panel → columns", "further vectors of padding"),
    ("kernel recurrent.add_product: 0 → 1 #5$", "the distance of lines, of which there is one"),
    (
        "kernel row_norm.group_norm_backward: sums.sum(axis=1).astype(",
        "the engine casts a gradient to its input's dtype",
    ),
    ("kernel recurrent.affine: linear_forward(", "of the forward alone, whose values are tested"),
    ("kernel recurrent.spans: starts[::-1].copy() → starts[::-1]$", "the order in memory of a table"),
    ("kernel recurrent.spans: counts[::-1].copy() → counts[::-1]$", "the order in memory of a table"),
    ("kernel pool.adaptive_avg_pool_backward: 0 → 1", "the padding, which counts in no adaptive mean"),
    ("kernel pool._backward: dx.size and where.whole → where.whole", "nothing is written to an empty array"),
    ("kernel pool._backward: lengths[2].astype(dy.dtype) →", "the same numbers in another width"),
    ("kernel pool.avg_pool_backward: (1,) * len(padding) → (1,)", "the step along an axis of size 1"),
    ("kernel windows.sizes: np.minimum(begin + taps, n + pad) → np.minimum(n", "a minimum has no order"),
    ("kernel windows.sizes: np.maximum(length, 1).astype(np.float64) →", "the same numbers in another width"),
    ("kernel windows.sizes: np.maximum(length, 1) →", "every window has an element"),
    ("kernel pool_max._backward: planes(contiguous(taps)) →", "made flat right after"),
    ("kernel pool_max._backward: dx.size and where.pairs → where.pairs", "nothing is written to an empty array"),
    ("kernel pool_max._scatter_pairs: 2 * dy.shape[2] < dx.shape[2] → 2 * dy.shape[2] <=", "the rest has no line then"),
    ("kernel norm._backward_block: 1 → 2$", "what is written too far is overwritten by the next part"),
    ("kernel moments.column_products: n % _ROWS == _ROWS - 1 → n %", "how often the sums are put together"),
    ("kernel conv_pointwise.grad_input: 2 → 3 #2$", "a picture of its own in place of the result: slower"),
    ("kernel conv_pointwise.grad_input: 2: → 2 + 1: #2$", "a picture of its own in place of the result: slower"),
    ("kernel conv_pointwise.grad_input: dx if dx.shape[2:] == out else empty", "as above"),
    ("kernel conv_pointwise.grad_input: _multiply(work, True, ", "the amount of work, and a number for True"),
    ("kernel conv_pointwise._weights: block * rows → block$", "rows that are computed twice come out the same"),
    ("kernel conv.conv_grad_weight: not lone → lone", "which way is quicker; each is right"),
    ("kernel conv.conv_grad_weight: not lone and by_columns", "which way is quicker; each is right"),
    ("kernel conv_columns.grad_input: min(threads", "how finely the work is divided"),
    ("kernel conv_columns.grad_weight: min(threads", "how finely the work is divided"),
    ("kernel conv_columns._grad_input: out[0] * out[1] → out[1]", "two axes: the first has size 1"),
    ("kernel conv_columns._grad_input: which * channels * size[0] → which * channels$", "as above"),
    ("kernel conv_depthwise.grad_weight: min(threads", "how finely the work is divided"),
    ("kernel conv_depthwise.grad_weight: plan.buffer + slack →", "room that vectors need and plain lines do not"),
    ("kernel conv_depthwise.grad_weight: np.zeros(", "the places of taps that only fill a tile"),
    ("kernel conv_depthwise.grad_weight: -taps // TAPS → -taps", "more room"),
    ("kernel conv._taken: 1 → 2 #2$", "the step along an axis of size 1"),
    ("kernel conv._taken: 1 → 2 #3$", "the step along an axis of size 1"),
    (
        "kernel cross_entropy._divided: a / b if b else",
        "no weight at all: the loss is NaN, and has no gradient to check",
    ),
    ("kernel row_norm.group_norm_backward: _cancel(dx) →", "it makes of a rounding the 0 that it stands for"),
    ("kernel row_norm._cancel: np.subtract(", "as above"),
    ("kernel recurrent.packed: -n // columns → -n$", "further panels, of zeros"),
    ("kernel recurrent.packed: -1 → 1$", "of the forward alone, whose values are tested"),
    ("kernel recurrent.packed: 1 → 2$", "of the forward alone, whose values are tested"),
    ("kernel recurrent.packed: w.shape[::-1] if transposed", "of the forward alone, whose values are tested"),
    (
        "kernel recurrent.packed: contiguous(w).reshape(-1) →",
        "the plain form of a vector counts from the front of any array",
    ),
    ("kernel recurrent.packed: panels.reshape(-1) →", "as above"),
    ("kernel recurrent.affine: w.shape[::-1] if transposed", "of the forward alone, whose values are tested"),
    ("kernel recurrent.affine: np.zeros(n, x.dtype) if b is None", "of the forward alone, whose values are tested"),
    ("kernel recurrent.affine: -1 → 1$", "of the forward alone, whose values are tested"),
    ("kernel recurrent.affine: if len(x) < _PACKED", "which way is quicker; each is right"),
    ("kernel recurrent.affine: len(x) < _PACKED", "which way is quicker; each is right"),
    ("kernel recurrent.weight_gradients: if len(da) < _PACKED", "which way is quicker; each is right"),
    ("kernel recurrent.weight_gradients: len(da) < _PACKED", "which way is quicker; each is right"),
    ("kernel recurrent.weight_gradients: 0 → 1 #2$", "the size of what stands for an array that is not there"),
    ("kernel recurrent.weight_gradients: 1 → 2 #5$", "the size of what stands for an array that is not there"),
    (
        "kernel recurrent.weight_gradients: linear_grad_bias(da) → da",
        "the engine undoes the broadcast of any gradient that is too large",
    ),
    ("kernel recurrent._pack: _pack_transposed(", "of the forward alone, whose values are tested"),
    *(
        (f"kernel recurrent._pack: p * columns{change}$", "of the forward alone, whose values are tested")
        for tail in ("", " #2")
        for change in (f" → p{tail}", f" → columns{tail}", f" → p / columns{tail}")
    ),
    *(
        (f"kernel recurrent._pack: p * columns * width → {change}$", "of the forward alone, whose values are tested")
        for change in ("p * columns", "width", "p * columns / width")
    ),
    ("kernel recurrent.multiply: 0 → 1$", "more is set to zero than is needed"),
    ("kernel recurrent_gru._gru_steps_back: min(batch, (k + 1) * block) →", "a step has no more rows than are left"),
    ("kernel recurrent_gru._gru_steps_back: batch + block - 1 →", "one more block, which is empty"),
)
