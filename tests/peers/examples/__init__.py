"""Whole programs in the style of PyTorch's public examples, written against its names, one a file.

`run(path, engine, seed)` executes one with only its imports changed. Each finds `images` (N, 1, 8, 8) in [0, 1], `labels`
and `seed` in its scope, and leaves its `metric` there.
"""
