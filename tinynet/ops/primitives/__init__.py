"""All primitives: the arithmetic under every operation, each beside its gradients."""

from ...autograd.basis import add, alias, cast, clone, expand, overwrite, sum_to, zeros_like
from .compare import (
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    eq,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
)
from .elementwise import (
    absolute,
    ceil,
    cos,
    div,
    erf,
    exp,
    expm1,
    floor,
    floor_divide,
    log,
    log1p,
    maximum,
    minimum,
    mul,
    neg,
    power,
    relu,
    remainder,
    round_,
    sigmoid,
    sign,
    sin,
    sqrt,
    sub,
    tan,
    tanh,
    trunc,
    where,
)
from .indexing import index, put, put_along, take_along, unindex
from .linalg import matmul, swap
from .reduce import amax, amin, argmax, argmin, argsort, cumsum, kept, log_softmax, reduce_all, reduce_any, softmax, sum_
from .shape import cat, pad_constant, permute, reshape

__all__ = [name for name in dir() if not name.startswith("_")]
