"""PyTorch's `backends`: libraries that tinynet does not use. Their switches can be set, and change nothing."""

from . import cuda, cudnn, mkl, mkldnn, mps, openmp
