"""The systems that the documents name, each readable beside its paper."""

from .classifier import SequenceClassifier
from .cnn import CNN
from .generation import Hypothesis, beam_search, generate, next_token_probabilities
from .gpt import GPT
from .gpt2 import load_gpt2, save_gpt2
from .lenet import LeNet
from .mlp import MLP
from .ngram import NGram
from .nnlm import NNLM
from .recurrent_lm import RecurrentLM
from .state import LanguageModel
from .translation import TranslationTransformer, beam_translate, greedy_translate
