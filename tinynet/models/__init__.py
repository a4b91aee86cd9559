"""The systems that the documents name, each readable beside its paper."""

from .cnn import CNN
from .generation import Hypothesis, beam_search, generate, next_token_probabilities
from .gpt import GPT
from .lenet import LeNet
from .mlp import MLP
from .state import LanguageModel
