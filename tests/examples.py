"""How many examples a property gets: a number for the default profile, which other profiles multiply."""

from hypothesis import settings

UNIT = 10  # max_examples of the default profile


def examples(n: int) -> settings:
    """Settings of `n` examples in the default profile, and in proportion in the others."""
    return settings(max_examples=max(1, n * settings.default.max_examples // UNIT))
