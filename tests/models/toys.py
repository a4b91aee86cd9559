"""Language models small enough to know everything about."""

import itertools

import numpy as np

import tinynet as tn


class Bigrams:
    """The next token depends on the last one alone, by a table of log probabilities; remembers how it was called."""

    def __init__(self, log_p, context=None):
        self.log_p, self.context, self.calls = np.asarray(log_p, np.float64), context, []

    @classmethod
    def random(cls, vocab, seed=0, context=None):
        x = np.random.default_rng(seed).normal(size=(vocab, vocab)) * 2
        return cls(x - np.log(np.exp(x).sum(1, keepdims=True)), context)

    def step(self, ids, state=None):
        assert isinstance(ids, tn.Tensor)
        past = np.empty((len(ids), 0), int) if state is None else state
        state = np.concatenate([past, ids.numpy()], 1)
        assert self.context is None or state.shape[1] <= self.context
        self.calls.append(ids.numpy().tolist())
        return tn.from_numpy(self.log_p[state[:, -1]]), state

    def reorder(self, state, index):
        return state[index]


def best_texts(log_p, first, limit, stop, penalty):
    """All texts after `first` that end with `stop` or after `limit` tokens, with their scores, best first."""
    found = []
    for length in range(1, limit + 1):
        for text in itertools.product(range(len(log_p)), repeat=length):
            if stop in text[:-1] or (length < limit and text[-1] != stop):
                continue
            score = sum(log_p[a, b] for a, b in itertools.pairwise((first, *text)))
            ids = list(text[:-1]) if text[-1] == stop else list(text)
            found.append((score / ((5 + length) / 6) ** penalty, ids))
    return sorted(found, key=lambda pair: -pair[0])
