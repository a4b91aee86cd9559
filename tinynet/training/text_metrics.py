"""Metrics of text: perplexity, bits per character, BLEU."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import DtypeError, OptionError, ShapeError, whole_number


def perplexity(mean_nll: float) -> float:
    """exp(−(1/T) Σ_t ln P(w_t ∣ w₁ … w_{t−1})): of how many equally likely tokens the model would be as unsure.

    mean_nll  the mean negative log-likelihood of a token, in nats: what cross-entropy gives. inf where exp overflows

    Raises OptionError if it is negative: probabilities of tokens are not above 1.
    """
    nll = float(mean_nll)
    if nll < 0:
        raise OptionError(f"perplexity: mean_nll must be ≥ 0, got {nll}")
    try:
        return math.exp(nll)
    except OverflowError:
        return math.inf


def bits_per_character(total_nll_nats: float, characters: int) -> float:
    """Total negative log-likelihood over the number of characters, in bits: nats / (characters · ln 2).

    It compares models whatever their tokens are: the characters are those of the text, not its tokens.
    """
    characters = whole_number("bits_per_character", "characters", characters, 1)
    return float(total_nll_nats) / (characters * math.log(2))


# BLEU


@dataclass(frozen=True)
class Bleu:
    """What `corpus_bleu` found; float(…) is the score.

    score              0 to 100
    precisions         for n-grams of 1, 2, … tokens, in per cent, smoothed
    brevity_penalty    1, or less where the hypotheses are shorter than the references
    hypothesis_length, reference_length   in tokens; of several references the one closest in length counts
    matches, totals    n-grams that were found in a reference, and all n-grams of the hypotheses
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    hypothesis_length: int
    reference_length: int
    matches: tuple[int, ...]
    totals: tuple[int, ...]

    def __float__(self) -> float:
        return self.score


def corpus_bleu(
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    tokenize: Literal["13a", "none", "char"] = "13a",
    smooth: Literal["exp", "floor", "add-k", "none"] = "exp",
    *,
    smooth_value: float | None = None,
    lowercase: bool = False,
    max_order: int = 4,
) -> Bleu:
    """BLEU of a corpus, with the numbers of sacrebleu: BP · exp((1/4) Σ_{n=1…4} ln p_n).

    p_n is the share of the hypotheses' n-grams that stand in a reference of the same sentence, each at most as often as
    there; BP = min(1, exp(1 − r/h)) with the lengths h of the hypotheses and r of the references.

    hypotheses    one sentence each
    references    as many sentences; or several such sequences, one for each set of references
    tokenize      "13a": as mteval-v13a (punctuation apart from words); "none": at white space; "char": characters
    smooth        what stands for p_n without a match. "exp": 1/(2^k · total), k counting these n; "floor":
                  smooth_value/total (0.1); "add-k": smooth_value (1) is added to matches and totals for n > 1; "none": 0
    lowercase     compare in lower case
    max_order     the longest n-grams

    Raises ShapeError for different numbers of sentences, or none.

    Sources: Papineni, Roukos, Ward, Zhu, "BLEU: a method for automatic evaluation of machine translation", ACL 2002;
    Post, "A call for clarity in reporting BLEU scores", WMT 2018; smoothing: Chen and Cherry, WMT 2014.
    """
    if tokenize not in _TOKENIZERS:
        raise NotImplementedError(f"corpus_bleu: tokenize={tokenize!r} is not supported; use {', '.join(_TOKENIZERS)}")
    if smooth not in _SMOOTH_VALUES:
        raise OptionError(f"corpus_bleu: smooth must be one of {', '.join(_SMOOTH_VALUES)}, got {smooth!r}")
    max_order = whole_number("corpus_bleu", "max_order", max_order, 1)
    sets = _reference_sets(hypotheses, references)

    def tokens_of(sentence: str) -> list[str]:
        return _TOKENIZERS[tokenize]((sentence.lower() if lowercase else sentence).rstrip()).split()

    length, reference_length = 0, 0
    matches, totals = [0] * max_order, [0] * max_order
    for hypothesis, *candidates in zip(hypotheses, *sets, strict=True):
        tokens, wanted = tokens_of(hypothesis), [tokens_of(c) for c in candidates]
        length += len(tokens)
        reference_length += min((len(w) for w in wanted), key=lambda n: (abs(n - len(tokens)), n))
        for n in range(1, max_order + 1):
            found, allowed = _ngrams(tokens, n), Counter[tuple[str, ...]]()
            for w in wanted:
                allowed |= _ngrams(w, n)  # the largest count over the references
            matches[n - 1] += (found & allowed).total()
            totals[n - 1] += found.total()
    penalty = 1.0 if length >= reference_length else math.exp(1 - reference_length / length) if length else 0.0
    value = _SMOOTH_VALUES[smooth] if smooth_value is None else float(smooth_value)
    precisions = _precisions(matches, totals, smooth, value)
    score = penalty * math.exp(sum(map(math.log, precisions)) / max_order) if all(precisions) else 0.0
    return Bleu(score, precisions, penalty, length, reference_length, tuple(matches), tuple(totals))


_SMOOTH_VALUES = {"exp": 0.0, "floor": 0.1, "add-k": 1.0, "none": 0.0}


def _reference_sets(hypotheses: Sequence[str], references: Any) -> list[Sequence[str]]:
    if isinstance(hypotheses, str) or not all(isinstance(h, str) for h in hypotheses):
        raise DtypeError("corpus_bleu: hypotheses must be a sequence of strings")
    if len(hypotheses) == 0:
        raise ShapeError("corpus_bleu: expected at least one hypothesis")
    if isinstance(references, str) or len(references) == 0:
        raise DtypeError("corpus_bleu: references must be a sequence of strings, or several such sequences")
    sets = [references] if isinstance(references[0], str) else list(references)
    for i, sentences in enumerate(sets):
        if isinstance(sentences, str) or not all(isinstance(s, str) for s in sentences):
            raise DtypeError(f"corpus_bleu: set {i} of references must be a sequence of strings")
        if len(sentences) != len(hypotheses):
            raise ShapeError(
                f"corpus_bleu: set {i} of references has {len(sentences)} sentences, and there are {len(hypotheses)} "
                "hypotheses, expected as many"
            )
    return sets


def _ngrams(tokens: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def _precisions(matches: list[int], totals: list[int], smooth: str, value: float) -> tuple[float, ...]:
    """Per cent for each n; all 0 if no token matches, and 0 from the first n on that has no n-grams at all."""
    out = [0.0] * len(matches)
    if not any(matches):
        return tuple(out)
    halving = 1.0
    for i, (match, total) in enumerate(zip(matches, totals, strict=True)):
        added = value if smooth == "add-k" and i else 0
        if total + added == 0:
            break
        if match + added:
            out[i] = 100 * (match + added) / (total + added)
        elif smooth == "exp":
            halving *= 2
            out[i] = 100 / (halving * total)
        elif smooth == "floor":
            out[i] = 100 * value / total
    return tuple(out)


# Of ASCII's punctuation, ' and - stay in words, and . and , beside digits do.
_APART = re.compile("([ " + re.escape("".join(c for c in string.punctuation if c not in "'-.,")) + "])")
_RULES = (
    (_APART, r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def _tokenize_13a(sentence: str) -> str:
    """Spaces between tokens, by the rules of NIST's mteval-v13a."""
    text = sentence.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


_TOKENIZERS: dict[str, Callable[[str], str]] = {"13a": _tokenize_13a, "none": str, "char": " ".join}
