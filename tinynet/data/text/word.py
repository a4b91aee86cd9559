"""One token for each word or punctuation mark."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from ...errors import OptionError
from .characters import Shadow
from .tokenizer import Tokenizer, strings_of, texts_of, unknown_of
from .vocabulary import BOS, EOS, PAD, UNKNOWN, Vocabulary

_SHADOW = Shadow(letters="LM", like={"’": "'"})
_WORD = r"[A-Za-z0-9_]"
_PATTERN = re.compile(rf"{_WORD}+(?:(?:['-]|(?<=[0-9])[.,](?=[0-9])){_WORD}+)*|\S", re.ASCII)
_NO_SPACE_BEFORE, _NO_SPACE_AFTER = frozenset(".,;:!?…)]}%»”"), frozenset("([{«“„")


class WordTokenizer(Tokenizer):
    """Words and punctuation marks are tokens: `WordTokenizer.train(texts)`.

    A word is a run of letters (with their combining marks), digits and _; an apostrophe or a hyphen between two of
    these belongs to it (don't, T-shirt), as does a point or comma between digits (3.14). Every other character that is
    no white space is a token by itself.

    `decode` puts a space between tokens, but none before . , ; : ! ? … ) ] } % » ” and none after ( [ { « “ „. So white
    space, unknown words, and with `lower` the case of letters, do not come back.

    `encode` raises OptionError (a ValueError) naming an unknown word and its place, if there is no "<unk>".
    """

    kind = "word"

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        *,
        lower: bool = False,
        minimum: int = 1,
        maximum: int | None = None,
        specials: Sequence[str] = (PAD, UNKNOWN, BOS, EOS),
    ) -> Self:
        """The words of one or more texts, the most frequent first, after the special tokens.

        lower     in lower case
        minimum   leave out words that come less often
        maximum   the largest size of the vocabulary, the special tokens included
        specials  names that could not be words of a text, such as "<pad>"
        """
        where = f"{cls.__name__}.train"
        specials = strings_of(where, "specials", specials)
        counts: Counter[str] = Counter()
        for text in texts_of(where, texts):
            counts.update(split_words(text.lower() if lower else text))
        return cls(Vocabulary.from_counts(counts, minimum, maximum, specials), specials, lower=lower)

    def __init__(self, vocabulary: Vocabulary, specials: Sequence[str] = (), *, lower: bool = False) -> None:
        super().__init__(vocabulary, specials)
        for token in specials:
            if split_words(token) == [token]:
                raise OptionError(f"WordTokenizer: special token {token!r} could be a word of a text; write <{token}>")
        self.lower = bool(lower)

    def words(self, text: str) -> list[str]:
        """The tokens of a text, known or not, in lower case if `lower`."""
        return split_words(text.lower() if self.lower else text)

    def _encode(self, text: str) -> list[int]:
        ids, unknown, words = self.vocabulary._ids, self.unknown_id, self.words(text)
        if unknown is not None:
            return [ids.get(word, unknown) for word in words]
        for place, word in enumerate(words):
            if word not in ids:
                raise OptionError(
                    f"WordTokenizer.encode: word {word!r} at place {place} is not among the {len(self)} known ones, and "
                    "there is no '<unk>' token"
                )
        return [ids[word] for word in words]

    def _pieces(self, ids: Iterator[int]) -> Iterator[str]:
        before: str | None = None
        for i in ids:
            token = self.vocabulary.tokens[i]
            close = before is None or before in _NO_SPACE_AFTER or token in _NO_SPACE_BEFORE
            yield token if close else f" {token}"
            before = token

    def _options(self) -> dict[str, Any]:
        return {"lower": self.lower}

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Self:
        specials = strings_of(cls.__name__, "specials", content["specials"])
        return cls(Vocabulary(content["tokens"], unknown=unknown_of(specials)), specials, lower=content["lower"])


def split_words(text: str) -> list[str]:
    """The words and punctuation marks of a text, as `WordTokenizer` splits it."""
    return list(_SHADOW.split(_PATTERN, text))
