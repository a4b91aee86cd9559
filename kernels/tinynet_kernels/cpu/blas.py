"""Matrix products inside kernels: SciPy's BLAS at one thread, called by address.

`gemm` takes offsets and leading dimensions, so blocks of larger arrays need no copies, and one compiled form serves
every layout. (Numba's np.dot compiles one per layout and takes whole contiguous arrays only.) The address is an
argument of the kernel, so that compiled code can be cached.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

from .jit import inner


@functools.cache
def gemm_address(dtype: np.dtype[Any]) -> int:
    """The address of sgemm or dgemm in SciPy's BLAS, which from then on runs at one thread."""
    _one_thread()
    return get_cython_function_address("scipy.linalg.cython_blas", "sgemm" if dtype.itemsize == 4 else "dgemm")


def _one_thread() -> None:
    # Only the library that belongs to SciPy: NumPy's is the user's to set. Where both use one library (some
    # distributions), it stays as it is: kernels are then right, and as fast as nested threads let them.
    import scipy
    import scipy.linalg.cython_blas
    from threadpoolctl import ThreadpoolController

    package = os.path.dirname(os.path.abspath(scipy.__file__))
    homes = (package + os.sep, package + ".libs" + os.sep)
    for library in ThreadpoolController().lib_controllers:
        if library.user_api == "blas" and os.path.abspath(library.filepath).startswith(homes):
            library.set_num_threads(1)


@intrinsic  # type: ignore[misc, unused-ignore]
def _call_gemm(typingctx, address, ta, tb, m, n, k, a, ao, lda, b, bo, ldb, beta, c, co, ldc):  # type: ignore[no-untyped-def]
    """C = op(A) op(B) + beta C on row-major blocks that begin at the offsets ao, bo, co of the arrays."""
    sig = types.void(address, ta, tb, m, n, k, a, ao, lda, b, bo, ldb, beta, c, co, ldc)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        real = context.get_value_type(a.dtype)
        word, char = ir.IntType(32), ir.IntType(8)

        def integer(position):  # type: ignore[no-untyped-def]
            return cgutils.alloca_once_value(builder, builder.trunc(args[position], word))

        def letter(position):  # type: ignore[no-untyped-def]
            flag = context.cast(builder, args[position], signature.args[position], types.boolean)
            code = builder.select(flag, ir.Constant(char, ord("T")), ir.Constant(char, ord("N")))
            return cgutils.alloca_once_value(builder, code)

        def pointer(position):  # type: ignore[no-untyped-def]
            array = context.make_array(signature.args[position])(context, builder, args[position])
            return builder.gep(array.data, [args[position + 1]])

        alpha = cgutils.alloca_once_value(builder, ir.Constant(real, 1.0))
        scale = context.cast(builder, args[12], signature.args[12], a.dtype)
        # BLAS is column-major: it computes the transposed product, with A and B exchanged.
        operands = [
            letter(2), letter(1), integer(4), integer(3), integer(5), alpha, pointer(9), integer(11),
            pointer(6), integer(8), cgutils.alloca_once_value(builder, scale), pointer(13), integer(15),
        ]  # fmt: skip
        function = ir.FunctionType(ir.VoidType(), [value.type for value in operands])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), operands)
        return context.get_dummy_value()

    return sig, codegen


@inner
def gemm(address, ta, tb, m, n, k, a, ao, lda, b, bo, ldb, beta, c, co, ldc):  # type: ignore[no-untyped-def]
    """C (m, n) = op(A) (m, k) · op(B) (k, n) + beta C, row-major; `ta`, `tb` say that A, B are stored transposed."""
    if m == 0 or n == 0:
        return
    if k == 0:
        if beta == 0.0:
            for i in range(m):
                c[co + i * ldc : co + i * ldc + n] = 0
        return
    _call_gemm(address, ta, tb, m, n, k, a, ao, lda, b, bo, ldb, beta, c, co, ldc)  # type: ignore[call-arg, unused-ignore]
