"""Text: files, vocabularies, tokenizers, and ids in batches."""

from .batches import LanguageModelDataset, LengthBucketSampler, pad_batch
from .bpe import BPETokenizer
from .char import CharTokenizer
from .reading import default_text, read_labelled, read_lines, read_pairs, read_text, split
from .tokenizer import Tokenizer, load_tokenizer
from .vocabulary import Vocabulary
from .word import WordTokenizer

__all__ = [
    "BPETokenizer",
    "CharTokenizer",
    "LanguageModelDataset",
    "LengthBucketSampler",
    "Tokenizer",
    "Vocabulary",
    "WordTokenizer",
    "default_text",
    "load_tokenizer",
    "pad_batch",
    "read_labelled",
    "read_lines",
    "read_pairs",
    "read_text",
    "split",
]
