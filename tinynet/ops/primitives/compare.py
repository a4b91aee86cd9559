"""Comparison, logic and tests: their results are booleans (or integers) and carry no gradient."""

from __future__ import annotations

import numpy as np

from ...autograd.primitive import Primitive

eq: Primitive = Primitive("eq", np.equal)
ne: Primitive = Primitive("ne", np.not_equal)
lt: Primitive = Primitive("lt", np.less)
le: Primitive = Primitive("le", np.less_equal)
gt: Primitive = Primitive("gt", np.greater)
ge: Primitive = Primitive("ge", np.greater_equal)

logical_and: Primitive = Primitive("logical_and", np.logical_and)
logical_or: Primitive = Primitive("logical_or", np.logical_or)
logical_xor: Primitive = Primitive("logical_xor", np.logical_xor)
logical_not: Primitive = Primitive("logical_not", np.logical_not, promote=None)

bitwise_and: Primitive = Primitive("bitwise_and", np.bitwise_and)
bitwise_or: Primitive = Primitive("bitwise_or", np.bitwise_or)
bitwise_xor: Primitive = Primitive("bitwise_xor", np.bitwise_xor)
bitwise_not: Primitive = Primitive("bitwise_not", np.bitwise_not, promote=None)

isnan: Primitive = Primitive("isnan", np.isnan, promote=None)
isinf: Primitive = Primitive("isinf", np.isinf, promote=None)
isfinite: Primitive = Primitive("isfinite", np.isfinite, promote=None)
