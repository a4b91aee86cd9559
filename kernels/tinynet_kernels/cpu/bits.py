"""What Numba cannot say of numbers: their bits, and a polynomial whose coefficients take the argument's type."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _reinterpreted(pairs: dict[Any, Any]) -> Any:
    def typer(context: Any, x: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(signature.return_type))

        return (pairs[x](x), emit) if x in pairs else None

    return intrinsic(typer)


bits_of = _reinterpreted({types.float32: types.int32, types.float64: types.int64})
float_of = _reinterpreted({types.int32: types.float32, types.int64: types.float64})


def _polynomial(context: Any, x: Any, coefficients: Any) -> Any:
    """Σᵢ cᵢ·xⁱ by Horner's rule, fused where the processor can; in the type of x."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        point, kind = args[0], args[0].type
        terms = [context.cast(builder, v, types.float64, x) for v in cgutils.unpack_tuple(builder, args[1])]
        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fmuladd.f{x.bitwidth}"
        )
        total = terms.pop()
        while terms:
            total = builder.call(fused, [total, point, terms.pop()])
        return total

    return x(x, coefficients), emit


polynomial: Any = intrinsic(_polynomial)
