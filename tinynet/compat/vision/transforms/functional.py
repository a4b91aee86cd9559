"""torchvision's `transforms.functional`: that of `tinynet.data.transforms`."""

from tinynet.data.transforms.functional import *  # noqa: F403
from tinynet.data.transforms.functional import __all__ as __all__
