"""The operations, a family a file; `primitives` holds the arithmetic under all of them."""
