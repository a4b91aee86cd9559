"""Folders of files as datasets: a subfolder a class."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from .dataset import Dataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


class DatasetFolder(Dataset):
    """Files `root/class/…/file` as items (transform(loader(path)), class number).

    root              its subfolders are the classes, sorted by name; hidden folders and files are skipped
    loader            makes the sample of a path
    extensions        the endings that files have (whatever their case); or
    is_valid_file     whether a path counts
    transform, target_transform   of the sample, of the class number
    allow_empty       whether a class may have no files

    Attributes: classes, class_to_idx, samples (pairs of path and class number), targets.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], Any],
        extensions: Sequence[str] | str | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        if (extensions is None) == (is_valid_file is None):
            raise ValueError("DatasetFolder: give either extensions or is_valid_file")
        self.root, self.loader, self.extensions = root, loader, extensions
        self.transform, self.target_transform = transform, target_transform
        self.classes, self.class_to_idx = self.find_classes(root)
        self.samples = self.make_dataset(root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.targets = [target for _, target in self.samples]

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """The classes' names, and the number of each. Raises FileNotFoundError if there are none."""
        classes = sorted(e.name for e in os.scandir(directory) if e.is_dir() and not e.name.startswith("."))
        if not classes:
            raise FileNotFoundError(f"DatasetFolder: {directory} has no subfolders, expected one for each class")
        return classes, {name: i for i, name in enumerate(classes)}

    @staticmethod
    def make_dataset(
        directory: str | os.PathLike[str],
        class_to_idx: dict[str, int],
        extensions: Sequence[str] | str | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """The files with their class numbers, by class and by path. Raises FileNotFoundError for a class without."""
        endings = (extensions,) if isinstance(extensions, str) else tuple(extensions or ())

        def valid(path: Path) -> bool:
            return is_valid_file(str(path)) if is_valid_file is not None else path.name.lower().endswith(endings)

        samples = []
        for name, number in class_to_idx.items():
            found = []
            for folder, inner, files in os.walk(Path(directory) / name, followlinks=True):
                inner[:] = [f for f in inner if not f.startswith(".")]
                paths = (Path(folder) / f for f in files if not f.startswith("."))
                found += [str(path) for path in paths if valid(path)]
            if not found and not allow_empty:
                wanted = f" that end in {', '.join(endings)}" if endings else ""
                raise FileNotFoundError(f"DatasetFolder: class {name} of {directory} has no files{wanted}")
            samples += [(path, number) for path in sorted(found)]
        return samples

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        return sample, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images `root/class/…/name.png`, as items (transform(image), class number); images are pillow's, in RGB.

    Needs pillow (the extra `images`). An image that cannot be read raises DataError with its path.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader or read_image, extensions, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples


def read_image(path: str) -> Any:
    """The image in a file, in RGB, as pillow's. Raises DataError with its path if it is damaged or no image."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ImportError("ImageFolder needs pillow: pip install 'tinynet-engine[images]'") from error

    with open(path, "rb") as file:
        try:
            return Image.open(file).convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"read_image: {path} is no whole image: {error}") from error
