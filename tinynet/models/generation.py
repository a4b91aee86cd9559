"""Text from language models: sampling, one token after another, and beam search.

Models are asked for nothing but `step` and `reorder` (see `LanguageModel`), so every kind of them serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor, new_tensor
from ..errors import DataError, DtypeError, OptionError, whole_number
from ..random import Generator, default_generator
from .state import LanguageModel

Array = np.ndarray[Any, Any]
OVERFLOWS = ("error", "stop", "slide")


def generate(
    model: LanguageModel,
    prompt: Any,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    stop: Iterable[int] = (),
    overflow: str = "error",
    generator: Generator | None = None,
    seed: int | None = None,
) -> Iterator[int]:
    """Go on after `prompt`: an iterator over the new token ids, each computed when it is asked for.

    prompt          ids, at least one: a list, a one-dimensional array or Tensor
    max_new_tokens  how many there are at most
    temperature, top_k, top_p  shape the distribution (`next_token_probabilities`) that tokens are drawn from
    greedy          take the most probable token in place of drawing one (the first of equals)
    stop            ids that end the text; they are not given out
    overflow        what happens where prompt and new tokens do not fit into the model's context: "error" raises before
                    the first token; "stop" ends the text with the token that no longer fits; "slide" forgets the older
                    half of the context and reads the newer one anew, at its beginning
    generator       the random stream; the default one (`manual_seed`) if neither it nor a seed is given
    seed            of a stream of its own

    Keys, values and states are kept, so a token costs one step. Raises OptionError for options outside their domain, an
    empty prompt, and a prompt that is longer than the context; DataError where scores are NaN or all −∞.
    """
    ids = _prompt("generate", model, prompt)
    whole_number("generate", "max_new_tokens", max_new_tokens, 0)
    if overflow not in OVERFLOWS:
        raise OptionError(f"generate: overflow must be one of {', '.join(OVERFLOWS)}, got {overflow!r}")
    if overflow == "error":
        _check_room("generate", model, ids, max_new_tokens, "; choose overflow='stop' or 'slide'")
    if generator is not None and seed is not None:
        raise OptionError("generate: give a generator or a seed, not both")
    stream = default_generator if generator is None else generator
    if seed is not None:
        stream = Generator().manual_seed(seed)
    if greedy and (temperature != 1.0 or top_k is not None or top_p is not None):
        raise OptionError("generate: greedy=True takes the best token; temperature, top_k and top_p do not apply")
    _check_sampling("generate", temperature, top_k, top_p)

    def pick(scores: Any) -> int:
        row = _finite("generate", _array(scores))[0]
        if greedy:
            return int(row.argmax())
        return draw(next_token_probabilities(row, temperature=temperature, top_k=top_k, top_p=top_p), stream)

    return _tokens(model, ids, max_new_tokens, pick, frozenset(stop), overflow)


def _tokens(
    model: LanguageModel, ids: list[int], count: int, pick: Callable[[Any], int], stop: frozenset[int], overflow: str
) -> Iterator[int]:
    text = list(ids)
    scores, state = model.step(_rows([text])) if count else (None, None)
    seen = len(text)
    for k in range(count):
        token = pick(scores)
        if token in stop:
            return
        yield token
        if k + 1 == count:
            return
        text.append(token)
        fresh = [token]
        if seen == model.context:
            if overflow == "stop":
                return
            fresh, state, seen = text[-max(1, seen // 2) :], None, 0
        scores, state = model.step(_rows([fresh]), state)
        seen += len(fresh)


def next_token_probabilities(
    scores: Any, *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Array:
    """softmax(scores/temperature) in float64, of which the likeliest tokens are kept and scaled to the sum 1.

    scores       (V,), logits or log probabilities
    temperature  > 0; below 1 the likely become likelier
    top_k        keep the k likeliest, and those that equal the last of them (Fan et al., ACL 2018)
    top_p        after that, keep the smallest set of likeliest tokens that together have at least the probability p, 0 <
                 p ≤ 1 (nucleus sampling: Holtzman et al., ICLR 2020)
    """
    _check_sampling("next_token_probabilities", temperature, top_k, top_p)
    x = _finite("next_token_probabilities", np.asarray(scores, np.float64)) / temperature
    if top_k is not None and top_k < x.size:
        x = np.where(x < np.partition(x, -top_k)[-top_k], -np.inf, x)
    p = np.exp(x - x.max())
    p /= p.sum()
    if top_p is not None and top_p < 1.0:
        order = np.argsort(-p, kind="stable")
        before = np.cumsum(p[order]) - p[order]
        p[order[before >= top_p]] = 0.0
        p /= p.sum()
    return p


def draw(probabilities: Array, generator: Generator) -> int:
    """An index at random, by one number from the generator: the first whose cumulative probability passes it."""
    ends = np.cumsum(probabilities)
    u = generator.uniform((1,), np.dtype(np.float64))[0] * ends[-1]
    return min(int(np.searchsorted(ends, u, side="right")), int(np.flatnonzero(probabilities)[-1]))


class Hypothesis(NamedTuple):
    """A text that beam search found: its ids without the token that ended it, and its score.

    score  log P(ids)/lp, with P including the end, and lp = ((5 + length)/6)^length_penalty, the length with the end
    """

    ids: list[int]
    score: float


def beam_search(
    model: LanguageModel,
    prompt: Any,
    max_new_tokens: int,
    *,
    beams: int = 4,
    length_penalty: float = 0.0,
    stop: Iterable[int] = (),
) -> list[Hypothesis]:
    """The best texts after `prompt` that a search with `beams` open texts finds, best first, at most `beams` of them.

    length_penalty  α ≥ 0 of lp (see `Hypothesis`); 0 compares probabilities, and so prefers short texts
    stop            ids that end a text; without one, a text ends after max_new_tokens

    Raises OptionError as `generate` does, and where the texts would not fit into the model's context. Source: Graves,
    arXiv:1211.3711, 2012; the penalty: Wu et al., arXiv:1609.08144, 2016.
    """
    ids = _prompt("beam_search", model, prompt)
    check_beams("beam_search", max_new_tokens, beams, length_penalty)
    _check_room("beam_search", model, ids, max_new_tokens)
    scores, state = model.step(_rows([ids]))
    return search_beams(model, scores, state, max_new_tokens, beams, length_penalty, frozenset(stop))[0]


def check_beams(where: str, max_new_tokens: int, beams: int, length_penalty: float) -> None:
    """Raise unless the options of a beam search lie in their domains."""
    whole_number(where, "max_new_tokens", max_new_tokens, 1)
    whole_number(where, "beams", beams, 1)
    if not 0.0 <= length_penalty < np.inf:
        raise OptionError(f"{where}: length_penalty must be ≥ 0 and finite, got {length_penalty!r}")


def search_beams(
    model: Any, scores: Any, state: Any, limit: int, beams: int, alpha: float, stop: frozenset[int]
) -> list[list[Hypothesis]]:
    """The best texts of each row of `scores` (N, V), which `state` belongs to; all rows are searched in one batch.

    Open texts are extended by every token; the best go on, those that end are kept. A row is done when its `beams` best
    ended texts score no less than its best open one could in the end.
    """
    count = _array(scores).shape[0]
    done: list[list[Hypothesis]] = [[] for _ in range(count)]
    live: dict[int, list[tuple[float, list[int]]]] = {n: [(0.0, [])] for n in range(count)}
    for length in range(1, limit + 1):
        log_p = _log_softmax(_finite("beam_search", _array(scores)))
        parents: list[int] = []
        following: dict[int, list[tuple[float, list[int]]]] = {}
        start = 0
        for n, texts in live.items():
            total = np.array([s for s, _ in texts])[:, None] + log_p[start : start + len(texts)]
            ended, kept = _extended(total, texts, beams, stop)
            if length == limit:
                ended += [(score, ids) for score, ids, _ in kept]
            penalty = _penalty(length, alpha)
            done[n] += [Hypothesis(ids, score / penalty) for score, ids in ended]
            done[n] = sorted(done[n], key=lambda h: -h.score)[:beams]
            full = len(done[n]) == beams and kept and done[n][-1].score >= kept[0][0] / _penalty(limit, alpha)
            if kept and not full:
                following[n] = [(score, ids) for score, ids, _ in kept]
                parents += [start + row for _, _, row in kept]
            start += len(texts)
        live = following
        if not live or length == limit:
            break
        state = model.reorder(state, np.array(parents))
        scores, state = model.step(_rows([[ids[-1]] for texts in live.values() for _, ids in texts]), state)
    return done


def _extended(
    total: Array, texts: list[tuple[float, list[int]]], beams: int, stop: frozenset[int]
) -> tuple[list[tuple[float, list[int]]], list[tuple[float, list[int], int]]]:
    """The likeliest texts that end with one more token, and the `beams` likeliest that do not, with their rows."""
    ended: list[tuple[float, list[int]]] = []
    kept: list[tuple[float, list[int], int]] = []
    most = min(beams + len(stop) * len(texts), total.size)
    flat = total.reshape(-1)
    best = np.argpartition(-flat, most - 1)[:most]
    for place in best[np.lexsort((best, -flat[best]))]:
        row, token = divmod(int(place), total.shape[1])
        score, ids = float(flat[place]), texts[row][1]
        if score == -np.inf:
            break
        if token in stop:
            ended.append((score, ids))
        elif len(kept) < beams:
            kept.append((score, [*ids, token], row))
    return ended, kept


def _penalty(length: int, alpha: float) -> float:
    return ((5.0 + length) / 6.0) ** alpha


def _log_softmax(x: Array) -> Array:
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def _array(scores: Any) -> Array:
    return np.asarray(scores.array if isinstance(scores, Tensor) else scores, np.float64)


def _finite(where: str, scores: Array) -> Array:
    """`scores`, if each row has a largest number that is finite."""
    top = scores.max(axis=-1)
    if not np.isfinite(top).all():
        raise DataError(f"{where}: the model's scores are not finite: the largest is {top.min()}")
    return scores


def _rows(ids: list[list[int]]) -> Tensor:
    return new_tensor(np.array(ids, np.int64))


def _prompt(where: str, model: LanguageModel, prompt: Any) -> list[int]:
    array = np.asarray(prompt.array if isinstance(prompt, Tensor) else prompt)
    if array.ndim != 1:
        raise OptionError(f"{where}: prompt must be a one-dimensional sequence of ids, got shape {array.shape}")
    if not array.size:
        raise OptionError(f"{where}: prompt is empty; begin with at least one token (such as <bos>)")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{where}: prompt must hold integers, got {array.dtype}")
    if model.context is not None and array.size > model.context:
        raise OptionError(f"{where}: prompt has {array.size} tokens, more than the context of {model.context}")
    return [int(i) for i in array]


def _check_room(where: str, model: LanguageModel, ids: list[int], count: int, advice: str = "") -> None:
    if model.context is not None and len(ids) + count - 1 > model.context:
        raise OptionError(
            f"{where}: {len(ids)} tokens and {count} new ones do not fit into the context of {model.context}, which has "
            f"room for {model.context - len(ids) + 1} new ones{advice}"
        )


def _check_sampling(where: str, temperature: float, top_k: int | None, top_p: float | None) -> None:
    if not 0.0 < temperature < np.inf:
        raise OptionError(f"{where}: temperature must be > 0 and finite, got {temperature!r}")
    if top_k is not None:
        whole_number(where, "top_k", top_k, 1)
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise OptionError(f"{where}: top_p must lie in (0, 1], got {top_p!r}")
