"""Training: the loop, checkpoints, metrics, plots; `train(Config(...), folder)` is the command line's whole job."""

from .metrics import Evaluation, evaluate
from .resume import Interrupted
from .run import Config, Result, evaluate_run, read_config, train
from .text_metrics import Bleu, Scores, accuracy, bits_per_character, corpus_bleu, perplexity, precision_recall_f1
from .trainer import Trainer
