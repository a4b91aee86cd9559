"""Classes of characters for regular expressions: letters, numbers, spaces, by Unicode's general category.

Python's `re` has no \\p{L}. So a text is matched through its *shadow*: a text of the same length in which each character
outside ASCII is replaced by an ASCII character of its class. Where a pattern matches in the shadow, it would match in
the text. The categories are those of the Unicode version that Python has (`unicodedata.unidata_version`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Unicode's property White_Space, outside ASCII
SPACES = frozenset([0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000])


class Shadow(dict[int, int]):
    """A table for `str.translate`, filled as characters come: letters become a, numbers 0, spaces a line end, others !."""

    def __init__(self, letters: str = "L", like: dict[str, str] | None = None) -> None:
        """`letters`: the categories (first letters) that count as letters; `like`: characters to treat as other ones."""
        super().__init__({ord(a): ord(b) for a, b in (like or {}).items()})
        self.letters = letters

    def __missing__(self, code: int) -> int:
        self[code] = value = code if code < 128 else ord(self._class(code))
        return value

    def _class(self, code: int) -> str:
        category = unicodedata.category(chr(code))[0]
        if category in self.letters:
            return "a"
        if category == "N":
            return "0"
        return "\n" if code in SPACES else "!"

    def split(self, pattern: re.Pattern[str], text: str) -> Iterator[str]:
        """The pieces of `text` whose shadows the pattern matches."""
        for match in pattern.finditer(text if text.isascii() else text.translate(self)):
            yield text[match.start() : match.end()]
