"""Byte-pair encoding over bytes, as GPT-2 has it.

A text is split into words, each word into the bytes of its UTF-8 form; then pairs of neighbouring tokens are joined, in
the order in which training found them. All 256 bytes are tokens, so every text can be encoded. In files a byte is
written as a printable character: itself if it is printable in Latin-1, otherwise one from U+0100 on.

Source: Radford, Wu, Child, Luan, Amodei, Sutskever, "Language models are unsupervised multitask learners", 2019, with
its published vocabulary files.
"""

from __future__ import annotations

import codecs
import heapq
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ...errors import DataError, OptionError, whole_number
from ...files import write_text
from .bpe_training import train_merges
from .characters import Shadow
from .tokenizer import Tokenizer, read_json, strings_of, texts_of
from .vocabulary import Vocabulary

_SHADOW = Shadow()
# English contractions; a space with what follows it, letters or numbers or other signs; the rest of white space
_PATTERN = re.compile(
    r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
    re.ASCII,
)
_CACHE = 1 << 16  # words whose ids are kept


def _byte_characters() -> list[str]:
    """For each byte its printable character."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = (b for b in range(256) if b not in printable)
    table = {b: chr(b) for b in printable} | {b: chr(0x100 + n) for n, b in enumerate(rest)}
    return [table[b] for b in range(256)]


_OF_BYTE = _byte_characters()
_TO_BYTE = {c: b for b, c in enumerate(_OF_BYTE)}
_ALPHABET = sorted(_OF_BYTE)  # the order of the tokens of single bytes


class BPETokenizer(Tokenizer):
    """Byte-level byte-pair encoding: `BPETokenizer.train(texts, 2000)`, or GPT-2's files with `from_gpt2`.

    vocabulary  the 256 bytes as printable characters, what merges give, and special tokens
    merges      pairs of tokens, first come first merged

    decode(encode(text)) is the text again, whatever it is. `encode` raises OptionError (a ValueError) at a lone surrogate,
    which UTF-8 does not have, naming its position. Ids whose bytes are no UTF-8 decode with U+FFFD in place of them.
    """

    kind = "bpe"

    @classmethod
    def train(
        cls, texts: str | Iterable[str], vocab_size: int = 1024, *, minimum: int = 2, specials: Sequence[str] = ()
    ) -> Self:
        """Learn merges from one or more texts.

        vocab_size  the largest size: special tokens, 256 bytes, merges
        minimum     a pair that comes less often is not merged; there may be fewer tokens for it
        specials    names of tokens, such as "<|endoftext|>", which get the first ids

        Of equally frequent pairs the one with the smallest ids is merged first.
        """
        where = f"{cls.__name__}.train"
        specials = strings_of(where, "specials", specials)
        least = len(_ALPHABET) + len(specials)
        if whole_number(where, "vocab_size", vocab_size, 1) < least:
            raise OptionError(
                f"{where}: vocab_size is {vocab_size}, expected at least {least}: 256 bytes and {len(specials)} specials"
            )
        minimum = whole_number(where, "minimum", minimum, 1)
        counts: Counter[str] = Counter()
        for text in texts_of(where, texts):
            counts.update(_words(where, text))
        number = {_TO_BYTE[c]: i for i, c in enumerate(_ALPHABET)}
        words = {tuple(number[b] for b in word.encode()): n for word, n in counts.items()}
        tokens, pairs = train_merges(words, _ALPHABET, vocab_size - len(specials), minimum, specials)
        merges = [(tokens[a], tokens[b]) for a, b in pairs]
        return cls(Vocabulary([*specials, *tokens]), merges, specials)

    @classmethod
    def from_gpt2(cls, vocabulary: str | os.PathLike[str], merges: str | os.PathLike[str]) -> Self:
        """Read GPT-2's `vocab.json` (token → id) and `merges.txt` (a version line, then a merge a line).

        What is neither a byte nor the result of a merge is a special token.

        Raises DataError naming the file, and the line.
        """
        content = read_json(vocabulary)
        if not isinstance(content, dict) or not all(type(i) is int for i in content.values()):
            raise DataError(f"BPETokenizer.from_gpt2: {vocabulary} is no JSON object of tokens with their ids")
        tokens = sorted(content, key=lambda token: content[token])
        if [content[token] for token in tokens] != list(range(len(tokens))):
            raise DataError(f"BPETokenizer.from_gpt2: the ids in {vocabulary} are not 0 to {len(tokens) - 1}")
        try:
            lines = Path(merges).read_bytes().decode().split("\n")
        except UnicodeDecodeError as error:
            raise DataError(f"BPETokenizer.from_gpt2: {merges} is not UTF-8: byte {error.start}") from error
        pairs: list[tuple[str, str]] = []
        for number, line in enumerate(lines, 1):
            line = line.removesuffix("\r")
            if not line or (number == 1 and line.startswith("#version")):
                continue
            parts = line.split(" ")
            if len(parts) != 2 or any(t not in content for t in (*parts, "".join(parts))):
                raise DataError(
                    f"BPETokenizer.from_gpt2: {merges}, line {number}: {line!r} is no pair of tokens whose union is one"
                )
            pairs.append((parts[0], parts[1]))
        made = {*_ALPHABET, *(a + b for a, b in pairs)}
        try:
            return cls(Vocabulary(tokens), pairs, [token for token in tokens if token not in made])
        except ValueError as error:
            raise DataError(f"BPETokenizer.from_gpt2: {vocabulary}: {error}") from error

    def __init__(self, vocabulary: Vocabulary, merges: Iterable[tuple[str, str]], specials: Sequence[str] = ()) -> None:
        super().__init__(vocabulary, specials)
        self.merges = [(a, b) for a, b in merges]
        missing = [c for c in _ALPHABET if c not in vocabulary]
        if missing:
            raise OptionError(
                f"BPETokenizer: the vocabulary lacks {len(missing)} of the 256 bytes, first byte {_TO_BYTE[missing[0]]} "
                f"({missing[0]!r})"
            )
        known = set(_ALPHABET)
        for number, (a, b) in enumerate(self.merges):
            if a not in known or b not in known or a + b not in vocabulary:
                raise OptionError(
                    f"BPETokenizer: merge {number}, {a!r} with {b!r}, joins or gives what is no token yet"
                )
            known.add(a + b)
        for token in vocabulary:
            if (token in known) == (token in self.specials):
                what = "special and what bytes give" if token in known else "no byte, no merge's result and not special"
                raise OptionError(f"BPETokenizer: token {token!r} is {what}")
        self._byte_ids = [vocabulary.id(c) for c in _OF_BYTE]
        self._ranks: dict[tuple[int, int], tuple[int, int]] = {}
        for rank, (a, b) in enumerate(self.merges):
            pair = vocabulary.id(a), vocabulary.id(b)
            self._ranks.setdefault(pair, (rank, vocabulary.id(a + b)))
        self._bytes = {
            i: bytes(_TO_BYTE[c] for c in token) for i, token in enumerate(vocabulary) if i not in self._special_ids
        }
        self._cache: dict[str, list[int]] = {}

    def _encode(self, text: str) -> list[int]:
        out: list[int] = []
        cache = self._cache
        for word in _words("BPETokenizer.encode", text):
            ids = cache.get(word)
            if ids is None:
                ids = self._merged([self._byte_ids[b] for b in word.encode()])
                if len(cache) >= _CACHE:
                    cache.clear()
                cache[word] = ids
            out += ids
        return out

    def _merged(self, ids: list[int]) -> list[int]:
        """Merge while there is something to merge, the first merge first and from left to right; O(n log n).

        The tokens are a linked list; a heap holds the possible merges, some of which are out of date when they come.
        """
        n, ranks = len(ids), self._ranks
        after, before = list(range(1, n + 1)), list(range(-1, n - 1))
        heap = [(*ranks[pair], i, pair) for i, pair in enumerate(itertools.pairwise(ids)) if pair in ranks]
        heapq.heapify(heap)
        while heap:
            _, new, i, pair = heapq.heappop(heap)
            j = after[i]
            if j >= n or (ids[i], ids[j]) != pair:
                continue
            ids[i], ids[j] = new, -1
            after[i] = k = after[j]
            if k < n:
                before[k] = i
            for a, b in ((before[i], i), (i, k)):
                if a >= 0 and b < n and (ids[a], ids[b]) in ranks:
                    heapq.heappush(heap, (*ranks[ids[a], ids[b]], a, (ids[a], ids[b])))
        return [i for i in ids if i >= 0]

    def _pieces(self, ids: Iterator[int]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for i in ids:
            if i in self._special_ids:
                yield decoder.decode(b"", True) + self._special_ids[i]
            else:
                yield decoder.decode(self._bytes[i])
        yield decoder.decode(b"", True)

    def save_gpt2(self, folder: str | os.PathLike[str]) -> None:
        """Write `vocab.json` and `merges.txt` into a folder that exists, as GPT-2 and most libraries have them."""
        write_text(Path(folder) / "vocab.json", json.dumps({token: i for i, token in enumerate(self.vocabulary)}))
        lines = ["#version: 0.2", *(f"{a} {b}" for a, b in self.merges)]
        write_text(Path(folder) / "merges.txt", "\n".join(lines) + "\n")

    def _options(self) -> dict[str, Any]:
        return {"merges": [f"{a} {b}" for a, b in self.merges]}

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Self:
        specials = strings_of(cls.__name__, "specials", content["specials"])
        merges = []
        for line in strings_of(cls.__name__, "merges", content["merges"]):
            a, b = line.split(" ")
            merges.append((a, b))
        return cls(Vocabulary(content["tokens"]), merges, specials)


def _words(where: str, text: str) -> Iterator[str]:
    """GPT-2's words of a text: nothing is lost, each character is in one word."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OptionError(
            f"{where}: the character at position {error.start} is the lone surrogate U+{ord(text[error.start]):04X}, "
            "which is no text"
        ) from None
    return _SHADOW.split(_PATTERN, text)
