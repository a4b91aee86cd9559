"""PyTorch's `version`: of tinynet, and of the libraries for GPUs, which are not there."""

from tinynet import __version__ as __version__

debug = False
cuda = None
hip = None
xpu = None
