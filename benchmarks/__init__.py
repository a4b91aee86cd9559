"""Benchmarks: what tinynet costs beside PyTorch, JAX, NumPy and its own definitions. `python -m benchmarks --help`."""
