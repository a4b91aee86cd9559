"""What all tokenizers share: a vocabulary, special tokens, decoding, files.

{"format": "tinynet.tokenizer", "version": 1, "kind": "char", "tokens": […], "specials": […], …}
"""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ..._tensor import Tensor
from ...errors import DataError, DtypeError, OptionError, RangeError
from ...files import write_text
from .vocabulary import BOS, EOS, PAD, UNKNOWN, Vocabulary

_FORMAT, _VERSION = "tinynet.tokenizer", 1
_END_OF_TEXT = "<|endoftext|>"  # GPT-2's only special token, which stands between texts


class Tokenizer:
    """Text ↔ ids. Special tokens have ids that no text gives: what reads like "<eos>" in a text is text."""

    kind: ClassVar[str]
    kinds: ClassVar[dict[str, type[Tokenizer]]] = {}

    def __init_subclass__(cls) -> None:
        cls.kinds[cls.kind] = cls

    def __init__(self, vocabulary: Vocabulary, specials: Sequence[str] = ()) -> None:
        for token in specials:
            if token not in vocabulary:
                raise OptionError(f"{type(self).__name__}: special token {token!r} is not in the vocabulary")
        self.vocabulary, self.specials = vocabulary, tuple(specials)
        self._special_ids = {vocabulary.id(token): token for token in specials}

    # text to ids and back

    def encode(self, text: str) -> list[int]:
        """The ids of a text. What the tokenizer does not know: its class says."""
        if not isinstance(text, str):
            raise DtypeError(f"{type(self).__name__}.encode: text must be a string, got {type(text).__name__}")
        return self._encode(text)

    def _encode(self, text: str) -> list[int]:
        raise NotImplementedError(f"{type(self).__name__} has no encode")

    def decode(self, ids: Iterable[int], *, specials: bool = False) -> str:
        """The text of ids (a list, an array, a tensor of one dimension, an iterator).

        specials  show special tokens by their names; without it, only the unknown token is shown

        Raises RangeError for an id that does not exist, DtypeError for what is no integer.
        """
        return "".join(self.pieces(ids, specials=specials))

    def pieces(self, ids: Iterable[int], *, specials: bool = False) -> Iterator[str]:
        """The text of `decode` in pieces, each as soon as its ids have come: to show a text while it is generated."""
        hidden = set() if specials else {i for i, token in self._special_ids.items() if token != UNKNOWN}
        return self._pieces(i for i in self._checked(ids) if i not in hidden)

    def _pieces(self, ids: Iterator[int]) -> Iterator[str]:
        raise NotImplementedError(f"{type(self).__name__} has no decode")

    def _checked(self, ids: Iterable[int]) -> Iterator[int]:
        if isinstance(ids, Tensor):
            ids = ids.array
        if isinstance(ids, np.ndarray) and (ids.ndim != 1 or ids.dtype.kind not in "iu") and ids.size:
            raise DtypeError(f"decode: ids must be integers in one dimension, got {ids.dtype} of shape {ids.shape}")
        for place, value in enumerate(ids):
            try:
                number = operator.index(value)
            except TypeError:
                raise DtypeError(f"decode: ids must be integers, got {value!r} at place {place}") from None
            if not 0 <= number < len(self):
                raise RangeError(f"decode: id {number} at place {place} is out of range for {len(self)} tokens")
            yield number

    # special tokens

    @property
    def pad_id(self) -> int | None:
        """The id of "<pad>", which fills up short sequences; None if there is none."""
        return self._role(PAD)

    @property
    def unknown_id(self) -> int | None:
        """The id of "<unk>", which stands for what the vocabulary does not have; None if there is none."""
        return self._role(UNKNOWN)

    @property
    def bos_id(self) -> int | None:
        """The id that begins a sequence: of "<bos>", or of GPT-2's "<|endoftext|>"; None if there is none."""
        return self._role(BOS, _END_OF_TEXT)

    @property
    def eos_id(self) -> int | None:
        """The id that ends a sequence: of "<eos>", or of GPT-2's "<|endoftext|>"; None if there is none."""
        return self._role(EOS, _END_OF_TEXT)

    def _role(self, *names: str) -> int | None:
        return next((self.vocabulary.id(name) for name in names if name in self.specials), None)

    # files

    def to_dict(self) -> dict[str, Any]:
        """Everything, as numbers, strings, lists and dicts: what `save` writes as JSON."""
        content = {"format": _FORMAT, "version": _VERSION, "kind": self.kind}
        return {**content, "tokens": list(self.vocabulary), "specials": list(self.specials), **self._options()}

    def _options(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The tokenizer of a dict that `to_dict` gave; `Tokenizer.from_dict` reads every kind.

        Raises DataError for other dicts.
        """
        if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
            raise DataError(f'{cls.__name__}.from_dict: this is no tokenizer: there is no "format": "{_FORMAT}"')
        if content.get("version") != _VERSION:
            raise DataError(
                f"{cls.__name__}.from_dict: version is {content.get('version')!r}; this tinynet reads {_VERSION}"
            )
        kind = content.get("kind")
        made = cls.kinds.get(kind) if isinstance(kind, str) else None
        if made is None or not issubclass(made, cls):
            wanted = getattr(cls, "kind", None) or " or ".join(sorted(cls.kinds))
            raise DataError(f"{cls.__name__}.from_dict: kind is {kind!r}, expected {wanted}")
        try:
            return made._from_dict(content)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{cls.__name__}.from_dict: the tokenizer is damaged: {error}") from error

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Any:
        raise NotImplementedError(f"{cls.__name__} has no from_dict")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON; the file appears whole or not at all. `load_tokenizer` reads it."""
        write_text(path, json.dumps(self.to_dict(), indent=0) + "\n")

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.kind, self.vocabulary, self.specials))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens, specials={self.specials})"


def load_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """The tokenizer of any kind in a file that `save` wrote.

    Raises DataError naming the file if it holds no tokenizer.
    """
    try:
        return Tokenizer.from_dict(read_json(path))
    except DataError as error:
        raise DataError(f"load_tokenizer: {path}: {error}") from error


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file. Raises DataError naming the file if it is none."""
    try:
        return json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON file: {error}") from error


def texts_of(where: str, texts: str | Iterable[str]) -> list[str]:
    """One text or several as a list. Raises DtypeError for what is no text, OptionError if there is no character."""
    found = [texts] if isinstance(texts, str) else list(texts)
    for i, text in enumerate(found):
        if not isinstance(text, str):
            raise DtypeError(f"{where}: texts must be strings, got {type(text).__name__} at place {i}")
    if not any(found):
        raise OptionError(f"{where}: the texts have no characters")
    return found


def strings_of(where: str, name: str, value: Sequence[str]) -> tuple[str, ...]:
    """A sequence of strings. Raises DtypeError for anything else, a single string too."""
    if isinstance(value, str) or not all(isinstance(s, str) for s in value):
        raise DtypeError(f"{where}: {name} must be a sequence of strings, got {value!r}")
    return tuple(value)


def unknown_of(specials: Sequence[str]) -> str | None:
    """Which special token stands for what is not in the vocabulary."""
    return UNKNOWN if UNKNOWN in specials else None
