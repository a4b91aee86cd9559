"""torchvision's `datasets`, which read torchvision's folders. Items are images of pillow and class numbers.

CIFAR is read from its binary form (`root/cifar-10-batches-bin`, `root/cifar-100-binary`), which `download=True` fetches;
its other form is pickles.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tinynet._tensor import Tensor, new_tensor
from tinynet.data import Dataset, DatasetFolder, ImageFolder, load_cifar, load_emnist, load_mnist
from tinynet.data.cifar import cifar_classes
from tinynet.data.transforms.functional import to_pil_image
from tinynet.errors import OptionError, RangeError
from tinynet.ops.creation import randint, randn
from tinynet.random import Generator, use_generator

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "KMNIST",
    "MNIST",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
]

Change = Callable[[Any], Any] | None


class VisionDataset(Dataset):
    """What these datasets share: `root`, and transforms of the image, of the target, or of both together."""

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Change = None,
        target_transform: Change = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise OptionError("VisionDataset: transforms excludes transform and target_transform")
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transforms, self.transform, self.target_transform = transforms, transform, target_transform

    def _item(self, image: Any, target: Any) -> tuple[Any, Any]:
        if self.transforms is not None:
            return self.transforms(image, target)
        return (
            image if self.transform is None else self.transform(image),
            target if self.target_transform is None else self.target_transform(target),
        )


class MNIST(VisionDataset):
    """Handwritten digits from `root/MNIST/raw`, as images of mode L. Attributes: data (N, 28, 28), targets, classes."""

    classes: Sequence[str] = [
        f"{i} - {word}"
        for i, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    ]
    _name: Any = "mnist"

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        images, labels = _found(self, lambda: self._load(download))
        self.data, self.targets = new_tensor(images), new_tensor(labels)

    def _load(self, download: bool) -> Any:
        return load_mnist(self.raw_folder, train=self.train, name=self._name, download=download)

    @property
    def raw_folder(self) -> str:
        """Where the files are."""
        return os.path.join(self.root or "", type(self).__name__, "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._item(to_pil_image(self.data[index].numpy()), int(self.targets[index]))

    def __len__(self) -> int:
        return len(self.data)


class FashionMNIST(MNIST):
    """Articles of clothing, from `root/FashionMNIST/raw`."""

    classes = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    _name = "fashion-mnist"


class KMNIST(MNIST):
    """Cursive Japanese characters, from `root/KMNIST/raw`."""

    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    _name = "kmnist"


class EMNIST(MNIST):
    """Handwritten letters and digits, from `root/EMNIST/raw`. As in torchvision, each image is transposed, as filed."""

    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")

    def __init__(self, root: str | os.PathLike[str], split: str, **kwargs: Any) -> None:
        if split not in self.splits:
            raise OptionError(f"EMNIST: split must be one of {', '.join(self.splits)}, got {split!r}")
        self.split = split
        everything = string.digits + string.ascii_uppercase + string.ascii_lowercase
        merged = [c for c in everything if c not in "cijklmopsuvwxyz"]  # small letters that look like the large ones
        self.classes = {
            "byclass": list(everything),
            "bymerge": merged,
            "balanced": merged,
            "letters": ["N/A", *string.ascii_lowercase],
        }.get(split, list(string.digits))
        super().__init__(root, **kwargs)

    def _load(self, download: bool) -> Any:
        return load_emnist(self.raw_folder, split=self.split, train=self.train, download=download)


class CIFAR10(VisionDataset):
    """Colour photographs of ten classes. Attributes: data (N, 32, 32, 3) of NumPy, targets (a list), classes."""

    _name = "cifar10"

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        images, labels = _found(
            self, lambda: load_cifar(Path(self.root or ""), train=train, name=self._name, download=download)
        )
        self.data, self.targets = images.transpose(0, 2, 3, 1), labels.tolist()

    @property
    def classes(self) -> list[str]:
        """The classes' names, from the file beside the images."""
        return cifar_classes(Path(self.root or ""), self._name)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._item(to_pil_image(self.data[index]), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)


class CIFAR100(CIFAR10):
    """Colour photographs of a hundred classes."""

    _name = "cifar100"


class FakeData(VisionDataset):
    """Random images: item i is the same each time, whatever else is drawn."""

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Change = None,
        target_transform: Change = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size, self.image_size, self.num_classes, self.random_offset = size, image_size, num_classes, random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not 0 <= index < self.size:
            raise RangeError(f"FakeData: index {index} is out of range for {self.size} items")
        with use_generator(Generator().manual_seed(index + self.random_offset)):
            image: Tensor = randn(*self.image_size)
            target = int(randint(0, self.num_classes, (1,))[0])
        return self._item(to_pil_image((image * 0.25 + 0.5).clamp(0, 1)), target)

    def __len__(self) -> int:
        return self.size


def _found(dataset: VisionDataset, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except FileNotFoundError as error:
        raise RuntimeError(
            f"{type(dataset).__name__}: dataset not found. You can use download=True. {error}"
        ) from error
