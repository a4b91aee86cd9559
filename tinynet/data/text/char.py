"""One token for each character."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from ...errors import OptionError
from .tokenizer import Tokenizer, strings_of, texts_of, unknown_of
from .vocabulary import Vocabulary


class CharTokenizer(Tokenizer):
    """Each character (code point) is a token: `CharTokenizer.train(texts)`.

    decode(encode(text)) is the text again, if its characters are known. Nothing is normalised.

    `encode` raises OptionError (a ValueError) naming an unknown character and its position, if there is no "<unk>".
    """

    kind = "char"

    @classmethod
    def train(cls, texts: str | Iterable[str], *, specials: Sequence[str] = ()) -> Self:
        """All characters of one or more texts, in code point order, after the special tokens.

        specials  names of more than one character, such as "<pad>", "<unk>", "<bos>", "<eos>"
        """
        where = f"{cls.__name__}.train"
        specials = strings_of(where, "specials", specials)
        characters = set().union(*texts_of(where, texts))
        return cls(Vocabulary([*specials, *sorted(characters)], unknown=unknown_of(specials)), specials)

    def __init__(self, vocabulary: Vocabulary, specials: Sequence[str] = ()) -> None:
        super().__init__(vocabulary, specials)
        for token in vocabulary:
            if (len(token) == 1) == (token in self.specials):
                raise OptionError(
                    f"CharTokenizer: {token!r} is {'' if token in self.specials else 'not '}special; expected special "
                    "tokens of several characters, and all others of one"
                )

    def _encode(self, text: str) -> list[int]:
        ids = self.vocabulary._ids
        unknown = self.unknown_id
        if unknown is not None:
            return [ids.get(c, unknown) for c in text]
        try:
            return [ids[c] for c in text]
        except KeyError as error:
            (c,) = error.args
            raise OptionError(
                f"CharTokenizer.encode: character {c!r} (U+{ord(c):04X}) at position {text.index(c)} is not among the "
                f"{len(self)} known ones, and there is no {'<unk>'!r} token"
            ) from None

    def _pieces(self, ids: Iterator[int]) -> Iterator[str]:
        return (self.vocabulary.tokens[i] for i in ids)

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Self:
        specials = strings_of(cls.__name__, "specials", content["specials"])
        return cls(Vocabulary(content["tokens"], unknown=unknown_of(specials)), specials)
