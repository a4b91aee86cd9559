"""Transforms of images, under torchvision's names: tensors (…, C, H, W), or images of pillow where it is installed.

`functional` has them as functions. Random ones draw from the current random stream: the default one, or within a
DataLoader that of the batch.
"""

from . import functional
from .appearance import ColorJitter, GaussianBlur, Grayscale, RandomErasing, RandomGrayscale
from .basic import (
    Compose,
    ConvertImageDtype,
    Lambda,
    Normalize,
    PILToTensor,
    RandomApply,
    RandomChoice,
    RandomOrder,
    ToPILImage,
    ToTensor,
)
from .geometric import (
    CenterCrop,
    Pad,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
)
from .images import InterpolationMode
