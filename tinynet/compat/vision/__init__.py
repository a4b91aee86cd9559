"""torchvision's names over `tinynet.data`: `import tinynet.compat.vision as torchvision`.

There are `datasets`, `transforms` and `utils`. There are no `models`, `io` and `ops`.
"""

from . import datasets, transforms, utils
