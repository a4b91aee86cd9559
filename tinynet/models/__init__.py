"""The systems that the documents name, each readable beside its paper."""

from .cnn import CNN
from .lenet import LeNet
from .mlp import MLP
from .ngram import NGram
