"""Training on text: language models, translation, classification; `train_text(TextConfig(...), folder)` does it all."""

from .config import TextConfig
from .run import TextResult, TextRun, evaluate_text_run, load_text_run, read_text_config, train_text
