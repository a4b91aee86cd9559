"""oneDNN: not used. Its switches can be set, and change nothing."""

enabled = True
allow_tf32 = True


def is_available() -> bool:
    """Whether it is used: False."""
    return False
