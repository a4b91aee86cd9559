"""The operations, a family a file; `primitives` holds the arithmetic under all of them."""

from .. import methods  # whoever reaches an operation has a Tensor with its methods
