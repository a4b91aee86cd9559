"""CPU kernels (Numba): one family a file, re-exported here.

Arrays are positional, options keyword-only; results are new arrays, but for the functions whose names end in `_`. All
serve float32 and float64. Callers have checked shapes, options and indices.
"""

from .activation import (
    gelu_backward,
    gelu_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    silu_backward,
    silu_forward,
    tanh_backward,
    tanh_forward,
)
from .attention import attention_backward, attention_forward
from .conv import conv_forward, conv_grad_bias, conv_grad_input, conv_grad_weight
from .cross_entropy import cross_entropy_backward, cross_entropy_forward, nll_backward, nll_forward
from .dropout import dropout_backward, dropout_forward
from .embedding import embedding_backward, embedding_forward
from .foreach import table_norm, table_scale_
from .jit import cache_dir
from .linear import linear_forward, linear_grad_bias, linear_grad_input, linear_grad_weight
from .loss import (
    bce_with_logits_backward,
    bce_with_logits_forward,
    bce_with_logits_grad_target,
    mse_backward,
    mse_forward,
)
from .matmul import matmul
from .norm import batch_norm_apply, batch_norm_backward, batch_norm_forward, channel_statistics
from .optim import adam_step_, sgd_step_
from .pointwise import (
    exponential_backward,
    exponential_forward,
    mish_backward,
    mish_forward,
    pieces_backward,
    pieces_forward,
    softplus_backward,
    softplus_forward,
)
from .pool import (
    adaptive_avg_pool_backward,
    adaptive_avg_pool_forward,
    avg_pool_backward,
    avg_pool_forward,
)
from .pool_max import (
    adaptive_max_pool_backward,
    adaptive_max_pool_forward,
    adaptive_max_pool_indices,
    max_pool_backward,
    max_pool_forward,
    max_pool_indices,
)
from .random import philox_u32
from .recurrent import rnn_backward, rnn_forward
from .recurrent_gru import gru_backward, gru_forward
from .recurrent_lstm import lstm_backward, lstm_forward
from .reduce import deviations_last, moments_last, sum_last
from .row_norm import group_norm_backward, group_norm_forward, layer_norm_backward, layer_norm_forward
from .softmax import log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward
from .table import Table
from .threads import get_num_threads, set_num_threads

__all__ = [
    "Table",
    "adam_step_",
    "adaptive_avg_pool_backward",
    "adaptive_avg_pool_forward",
    "adaptive_max_pool_backward",
    "adaptive_max_pool_forward",
    "adaptive_max_pool_indices",
    "attention_backward",
    "attention_forward",
    "avg_pool_backward",
    "avg_pool_forward",
    "batch_norm_apply",
    "batch_norm_backward",
    "batch_norm_forward",
    "bce_with_logits_backward",
    "bce_with_logits_forward",
    "bce_with_logits_grad_target",
    "cache_dir",
    "channel_statistics",
    "conv_forward",
    "conv_grad_bias",
    "conv_grad_input",
    "conv_grad_weight",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "deviations_last",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward",
    "embedding_forward",
    "exponential_backward",
    "exponential_forward",
    "gelu_backward",
    "gelu_forward",
    "get_num_threads",
    "group_norm_backward",
    "group_norm_forward",
    "gru_backward",
    "gru_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "linear_forward",
    "linear_grad_bias",
    "linear_grad_input",
    "linear_grad_weight",
    "log_softmax_backward",
    "log_softmax_forward",
    "lstm_backward",
    "lstm_forward",
    "matmul",
    "max_pool_backward",
    "max_pool_forward",
    "max_pool_indices",
    "mish_backward",
    "mish_forward",
    "moments_last",
    "mse_backward",
    "mse_forward",
    "nll_backward",
    "nll_forward",
    "philox_u32",
    "pieces_backward",
    "pieces_forward",
    "relu_backward",
    "relu_forward",
    "rnn_backward",
    "rnn_forward",
    "set_num_threads",
    "sgd_step_",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax_backward",
    "softmax_forward",
    "softplus_backward",
    "softplus_forward",
    "sum_last",
    "table_norm",
    "table_scale_",
    "tanh_backward",
    "tanh_forward",
]
