"""What the processor can do: fused multiply-adds from registers, and bytes from memory.

The peak is the better of a micro-kernel of 12 (or 24) independent vector accumulators, and NumPy's product of two
large matrices. The bandwidth is the triad a ← b + s·c over arrays far larger than the caches, counted as 3 arrays
moved (McCalpin, STREAM, 1995).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

_STEPS = 20_000


def vector_lanes() -> int:
    """float32 lanes of the host's widest vector registers."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") or features.get("avx") else 4


_LANES = vector_lanes()
_ACCUMULATORS = 24 if _LANES == 16 else 12


@intrinsic  # type: ignore[untyped-decorator]
def _multiply_add(typingctx: Any, n: Any, x: Any) -> Any:
    """n rounds of acc_j ← acc_j · x + x over the accumulators, in registers; the sum of all lanes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count, value = args
        vector = ir.VectorType(ir.FloatType(), _LANES)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{_LANES}f32"
        )
        xs = ir.Constant(vector, ir.Undefined)
        for lane in range(_LANES):
            xs = builder.insert_element(xs, value, ir.Constant(ir.IntType(32), lane))
        entry = builder.block
        loop, after = builder.append_basic_block("rounds"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(count.type)
        i.add_incoming(ir.Constant(count.type, 0), entry)
        accumulators = [builder.phi(vector) for _ in range(_ACCUMULATORS)]
        results = []
        for j, acc in enumerate(accumulators):
            acc.add_incoming(ir.Constant(vector, [float(j)] * _LANES), entry)
            results.append(builder.call(fma, [acc, xs, xs]))
        following = builder.add(i, ir.Constant(count.type, 1))
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        i.add_incoming(following, loop)
        for acc, result in zip(accumulators, results, strict=True):
            acc.add_incoming(result, loop)
        builder.position_at_end(after)
        total = results[0]
        for result in results[1:]:
            total = builder.fadd(total, result)
        out = builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
        for lane in range(1, _LANES):
            out = builder.fadd(out, builder.extract_element(total, ir.Constant(ir.IntType(32), lane)))
        return out

    return types.float32(types.int64, types.float32), codegen


@njit(parallel=True, nogil=True)  # type: ignore[untyped-decorator]
def _peak(threads: int, n: int, out: Any) -> None:
    for i in prange(threads):
        out[i] = _multiply_add(n, np.float32(0.5))


@njit(parallel=True, nogil=True)  # type: ignore[untyped-decorator]
def _triad(a: Any, b: Any, c: Any) -> None:
    for i in prange(a.size):
        a[i] = b[i] + np.float32(3) * c[i]


def best(f: Callable[[], object], repetitions: int) -> float:
    """The least seconds of a call."""
    f()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return min(times)


def measured(threads: int) -> dict[str, float]:
    """`fma_gflops`, `gemm_gflops`, `peak_gflops` (the better), `triad_gbs`, and the vector's `lanes`."""
    import numba

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    out = np.zeros(threads, np.float32)
    flops = 2.0 * _LANES * _ACCUMULATORS * _STEPS * threads
    fma = flops / best(lambda: _peak(threads, _STEPS, out), 50) / 1e9
    x = np.ones((2048, 2048), np.float32)
    gemm = 2.0 * 2048**3 / best(lambda: x @ x, 5) / 1e9
    a, b, c = (np.ones(1 << 24, np.float32) for _ in range(3))
    triad = 3.0 * a.nbytes / best(lambda: _triad(a, b, c), 10) / 1e9
    return {
        "fma_gflops": fma,
        "gemm_gflops": gemm,
        "peak_gflops": max(fma, gemm),
        "triad_gbs": triad,
        "lanes": float(_LANES),
    }
