"""How many examples a property gets: a number for the default profile, which other profiles multiply."""

from hypothesis import settings

UNIT = 10  # examples of a profile that multiplies by one; the default has fewer where no test says how many


def examples(n: int) -> settings:
    """Settings of `n` examples in the default profile, and in proportion in the others."""
    return settings(max_examples=max(1, n * max(settings.default.max_examples, UNIT) // UNIT))
