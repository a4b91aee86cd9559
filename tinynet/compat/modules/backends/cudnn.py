"""cuDNN: not there. Its switches can be set, and change nothing."""

import contextlib
from collections.abc import Iterator

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether cuDNN can be used: False."""
    return False


def version() -> None:
    """None: it is not there."""


@contextlib.contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
) -> Iterator[None]:
    """Set the switches for a while."""
    own, wanted = globals(), locals().copy()
    before = {name: own[name] for name in wanted}
    own.update(wanted)
    try:
        yield
    finally:
        own.update(before)
