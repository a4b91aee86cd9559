"""PyTorch's path to TensorBoard's `SummaryWriter`, by tensorboardX where that is installed."""

try:
    from tensorboardX import SummaryWriter as SummaryWriter
except ImportError as error:
    raise ImportError("tinynet.utils.tensorboard needs tensorboardX: pip install tensorboardX") from error
