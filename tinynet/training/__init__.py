"""Training: the loop, checkpoints, metrics, plots; `train(Config(...), folder)` is the command line's whole job."""

from .classification_metrics import (
    Scores,
    accuracy,
    confusion_matrix,
    precision_recall_f1,
    roc_auc,
    top_k_accuracy,
)
from .metrics import Evaluation, evaluate
from .resume import Interrupted
from .run import Config, Result, evaluate_run, read_config, train
from .text_metrics import Bleu, bits_per_character, corpus_bleu, perplexity
from .trainer import Trainer
