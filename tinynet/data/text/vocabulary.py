"""Vocabulary: tokens and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...errors import DtypeError, OptionError, RangeError, whole_number

PAD, UNKNOWN, BOS, EOS = "<pad>", "<unk>", "<bos>", "<eos>"


class Vocabulary:
    """Token ↔ id: token number i of `tokens` has the id i.

    tokens   different strings, none of them empty
    unknown  the one of them that stands for all tokens that are not there; None: these are errors

    Raises OptionError for a token that comes twice, an empty one, an `unknown` that is none of them.
    """

    def __init__(self, tokens: Iterable[str], *, unknown: str | None = None) -> None:
        if isinstance(tokens, str):
            raise DtypeError("Vocabulary: tokens must be an iterable of strings, got one string")
        self.tokens = tuple(tokens)
        self._ids: dict[str, int] = {}
        for i, token in enumerate(self.tokens):
            if not isinstance(token, str):
                raise DtypeError(f"Vocabulary: token {i} must be a string, got {token!r}")
            if not token:
                raise OptionError(f"Vocabulary: token {i} is empty")
            if self._ids.setdefault(token, i) != i:
                raise OptionError(f"Vocabulary: token {token!r} comes twice, as {self._ids[token]} and as {i}")
        if unknown is not None and unknown not in self._ids:
            raise OptionError(f"Vocabulary: unknown is {unknown!r}, which is not among the {len(self)} tokens")
        self.unknown = unknown

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], minimum: int = 1, maximum: int | None = None, specials: Sequence[str] = ()
    ) -> Vocabulary:
        """The `specials`, then the counted tokens, the most frequent first and equally frequent ones in code point order.

        minimum  leave out what was counted less often
        maximum  the largest size, the specials included; the rarest tokens are left out

        If "<unk>" is among the specials, it stands for unknown tokens.
        """
        minimum = whole_number("Vocabulary.from_counts", "minimum", minimum, 0)
        if maximum is not None and whole_number("Vocabulary.from_counts", "maximum", maximum, 1) < len(specials):
            raise OptionError(
                f"Vocabulary.from_counts: maximum is {maximum}, but there are {len(specials)} special tokens"
            )
        known = set(specials)
        kept = [token for token, n in counts.items() if n >= minimum and token not in known]
        kept.sort(key=lambda token: (-counts[token], token))
        tokens = [*specials, *kept]
        return cls(tokens[:maximum], unknown=UNKNOWN if UNKNOWN in known else None)

    @classmethod
    def from_tokens(
        cls, tokens: Iterable[str], minimum: int = 1, maximum: int | None = None, specials: Sequence[str] = ()
    ) -> Vocabulary:
        """`from_counts` of how often each token comes."""
        return cls.from_counts(Counter(tokens), minimum, maximum, specials)

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown token, if there is one."""
        return None if self.unknown is None else self._ids[self.unknown]

    def id(self, token: str) -> int:
        """The id of a token. Raises OptionError if it is not there and there is no unknown token."""
        found = self._ids.get(token, self.unknown_id)
        if found is None:
            raise OptionError(
                f"Vocabulary: {token!r} is not among the {len(self)} tokens, and there is no unknown token"
            )
        return found

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """The ids of several tokens."""
        return [self.id(token) for token in tokens]

    def token(self, id: int) -> str:
        """The token of an id. Raises RangeError outside 0 … len − 1."""
        number = whole_number("Vocabulary.token", "id", id, -(2**63))
        if not 0 <= number < len(self):
            raise RangeError(f"Vocabulary.token: id {number} is out of range for {len(self)} tokens")
        return self.tokens[number]

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.tokens == other.tokens and self.unknown == other.unknown

    def __hash__(self) -> int:
        return hash((self.tokens, self.unknown))

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, unknown={self.unknown!r})"
