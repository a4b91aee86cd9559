"""Which pairs of tokens byte-pair encoding merges: counted once, then kept up to date.

Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

Pair = tuple[int, int]


def train_merges(
    words: Mapping[tuple[int, ...], int], tokens: Sequence[str], size: int, minimum: int, reserved: Collection[str] = ()
) -> tuple[list[str], list[Pair]]:
    """Join the most frequent pair of neighbouring tokens, again and again.

    words     each word as ids of tokens, and how often it comes
    tokens    the strings of these ids
    size      stop when there are so many tokens
    minimum   stop when no pair comes so often
    reserved  strings that no merge may give

    Returns the tokens, and the merges in their order. Of equally frequent pairs the one with the smallest ids is first.
    Two merges may give the same string (a+bc, ab+c); it is one token then.

    A merge touches only the words that hold its pair, and shortens them: all merges together cost what the words'
    letters cost, times the length of a word. A heap gives the largest count; what it says may be too much, since counts
    that fell are not pushed, so it is compared with the count as it is.
    """
    held, frequency = list(words), list(words.values())
    names = list(tokens)
    ids = {name: i for i, name in enumerate(names)}
    counts: defaultdict[Pair, int] = defaultdict(int)
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # the words that hold a pair, and some that no longer do
    for w, word in enumerate(held):
        for pair in itertools.pairwise(word):
            counts[pair] += frequency[w]
            places[pair].add(w)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)

    merges: list[Pair] = []
    while heap and len(names) < size:
        claimed, pair = heapq.heappop(heap)
        count = counts.get(pair, 0)
        if count != -claimed:
            if count > 0:
                heapq.heappush(heap, (-count, pair))
            continue
        if count < max(minimum, 1):
            break
        name = names[pair[0]] + names[pair[1]]
        if name in reserved:
            continue
        new = ids.setdefault(name, len(names))
        if new == len(names):
            names.append(name)
        merges.append(pair)
        changes: defaultdict[Pair, int] = defaultdict(int)
        for w in places.pop(pair):
            old, word = held[w], merged(held[w], pair, new)
            if len(word) == len(old):
                continue
            held[w] = word
            for p in itertools.pairwise(old):
                changes[p] -= frequency[w]
            for p in itertools.pairwise(word):
                changes[p] += frequency[w]
                places[p].add(w)
        for p, change in changes.items():
            counts[p] += change
            if change > 0:
                heapq.heappush(heap, (-counts[p], p))
        counts.pop(pair, None)
    return names, merges


def merged(word: tuple[int, ...], pair: Pair, new: int) -> tuple[int, ...]:
    """The word with each occurrence of the pair, from left to right, replaced by `new`."""
    out: list[int] = []
    i, last = 0, len(word) - 1
    while i <= last:
        if i < last and word[i] == pair[0] and word[i + 1] == pair[1]:
            out.append(new)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)
