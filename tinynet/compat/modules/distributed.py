"""PyTorch's `distributed`: not supported. `is_available()` is False; the rest raises NotImplementedError."""

from tinynet.compat.switches import unsupported


def is_available() -> bool:
    """Whether several processes can train together: False."""
    return False


def is_initialized() -> bool:
    """Whether they do: False."""
    return False


init_process_group = unsupported("distributed.init_process_group")
destroy_process_group = unsupported("distributed.destroy_process_group")
get_rank = unsupported("distributed.get_rank")
get_world_size = unsupported("distributed.get_world_size")
barrier = unsupported("distributed.barrier")
all_reduce = unsupported("distributed.all_reduce")
all_gather = unsupported("distributed.all_gather")
broadcast = unsupported("distributed.broadcast")
reduce = unsupported("distributed.reduce")
