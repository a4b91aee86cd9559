"""Reading texts, and ids as batches."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet as tn
from tests.examples import examples
from tinynet.data import DataLoader
from tinynet.data.text import (
    BPETokenizer,
    LanguageModelDataset,
    LengthBucketSampler,
    WordTokenizer,
    default_text,
    pad_batch,
    read_labelled,
    read_lines,
    read_pairs,
    read_text,
    split,
)
from tinynet.errors import DataError, DtypeError, OptionError, RangeError, ShapeError

DATA = os.environ.get("TINYNET_DATA")


def put(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


# reading


def test_plain_and_compressed_text(tmp_path):
    text = "ä\r\nb\n\u2028c"
    assert read_text(put(tmp_path, "a", text.encode())) == text
    assert read_text(put(tmp_path, "b", gzip.compress(text.encode()))) == text
    assert read_text(put(tmp_path, "c", b"\xef\xbb\xbfx")) == "x"


def test_lines_end_at_line_ends_alone(tmp_path):
    assert read_lines(put(tmp_path, "a", "a\r\n\nb\u2028c\x0bd\x85\n".encode())) == ["a", "", "b\u2028c\x0bd\x85"]
    assert read_lines(put(tmp_path, "b", b"a\nb")) == ["a", "b"]


def test_pairs_and_labels(tmp_path):
    a, b = put(tmp_path, "a", b"one\ntwo\n"), put(tmp_path, "b", gzip.compress(b"eins\nzwei"))
    assert read_pairs(a, b) == [("one", "eins"), ("two", "zwei")]
    with pytest.raises(DataError, match=r"a has 2 lines and .*c 1, expected as many"):
        read_pairs(a, put(tmp_path, "c", b"eins\n"))
    assert read_labelled(put(tmp_path, "d", b"good\tyes, a\ttab\nbad\tno\n")) == [
        ("good", "yes, a\ttab"),
        ("bad", "no"),
    ]
    for line, missing in [(b"no tab", "tab"), (b" \ttext", "label"), (b"label\t ", "text"), (b"", "tab")]:
        with pytest.raises(ValueError, match=rf"e, line 2 has no {missing}"):
            read_labelled(put(tmp_path, "e", b"a\tb\n" + line + b"\nc\td"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x is empty"),
        (gzip.compress(b"", mtime=0), "x is empty"),
        (b"\xef\xbb\xbf", "x is empty"),
        (b"ab\ncd\xffe", r"x is not UTF-8: invalid start byte at byte 5 \(ff\), in line 2"),
        (gzip.compress(b"abc\xe2\x82", mtime=0), r"unexpected end of data at byte 3 \(e2 82\)"),
        (gzip.compress(b"abc" * 100, mtime=0)[:-9], "no whole gzip file"),
        (gzip.compress(b"abc", mtime=0)[:-8] + b"\0" * 8, "no whole gzip file"),
    ],
)
def test_bad_files(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_text(put(tmp_path, "x", content))


def test_default_text_and_missing_files(tmp_path):
    text = default_text()
    assert len(text) > 100_000
    assert "The standard type hierarchy" in text
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none")


def test_split():
    assert split("abcdefghij", 0.75) == ("abcdefg", "hij")
    first, rest = split(tn.arange(4), 0.5)
    assert (first.tolist(), rest.tolist()) == ([0, 1], [2, 3])
    for call, error in [
        (lambda: split("abc", 1.0), OptionError),
        (lambda: split("abc", 0.1), OptionError),
        (lambda: split("", 0.5), OptionError),
        (lambda: split("abc", True), DtypeError),
    ]:
        with pytest.raises(error, match="split: fraction"):
            call()


# windows


@examples(60)
@given(st.integers(2, 40), st.integers(1, 12), st.none() | st.integers(1, 9))
def test_windows(n, length, stride):
    if n <= length:
        with pytest.raises(ShapeError, match=f"{n} ids have no window of length {length}"):
            LanguageModelDataset(range(n), length, stride)
        return
    data = LanguageModelDataset(list(range(n)), length, stride)
    step = stride or length
    starts = [s for s in range(0, n, step) if s + length < n]
    assert len(data) == len(starts)
    for i, s in enumerate(starts):
        x, y = data[i]
        assert x.tolist() == list(range(s, s + length))
        assert y.tolist() == list(range(s + 1, s + length + 1))
    assert data.left_out == n - 1 - (starts[-1] + length)
    assert data[-1][0].tolist() == data[len(data) - 1][0].tolist()
    with pytest.raises(RangeError, match="out of range"):
        data[len(data)]


@pytest.mark.parametrize("ids", [list(range(11)), np.arange(11, dtype=np.uint8), tn.arange(11)])
def test_windows_in_a_loader(ids):
    batches = list(DataLoader(LanguageModelDataset(ids, 3), 2))
    assert [tuple(x.shape) for x, _ in batches] == [(2, 3), (1, 3)]
    assert batches[0][0].dtype is tn.int64
    assert batches[0][0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert batches[0][1].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: LanguageModelDataset([[1, 2]], 1), ShapeError, r"got shape \(1, 2\)"),
        (lambda: LanguageModelDataset([0.5, 1.0], 1), DtypeError, "got float64"),
        (lambda: LanguageModelDataset([1, 2], 0), OptionError, "length must be an integer ≥ 1, got 0"),
        (lambda: LanguageModelDataset([1, 2], 1, 0), OptionError, "stride must be"),
        (lambda: pad_batch([], 0), ShapeError, "at least one sequence"),
        (lambda: pad_batch([[1], [1, 2]], 0, 1), ShapeError, "sequence 1 has 2 ids, more than length 1"),
        (lambda: pad_batch([[1], ["a"]], 0), DtypeError, "sequence 1 must be integers"),
        (lambda: pad_batch([[1]], None), DtypeError, "pad_id must be an integer"),
        (lambda: LengthBucketSampler([1.5], 1), DtypeError, "lengths must be integers"),
        (lambda: LengthBucketSampler([-1], 1), OptionError, "≥ 0, got -1"),
        (lambda: LengthBucketSampler([1], 0), OptionError, "batch_size"),
        (lambda: LengthBucketSampler([1], 1, pool=0), OptionError, "pool"),
        (lambda: LengthBucketSampler([1], 1, generator=3), DtypeError, "generator must be a tinynet.Generator"),
    ],
)
def test_batches_refuse(call, error, message):
    with pytest.raises(error, match=message):
        call()


# padding


@examples(60)
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=5), st.none() | st.integers(6, 8))
def test_padding(rows, length):
    ids, lengths = pad_batch(rows, -1, length)
    width = max(map(len, rows)) if length is None else length
    assert ids.tolist() == [r + [-1] * (width - len(r)) for r in rows]
    assert tuple(ids.shape) == (len(rows), width)
    assert lengths.tolist() == [len(r) for r in rows]
    assert ids.dtype is lengths.dtype is tn.int64


# batches by length


@examples(60)
@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 7), st.integers(1, 4), st.booleans(), st.booleans())
def test_every_item_is_in_one_batch(lengths, size, pool, shuffle, drop):
    sampler = LengthBucketSampler(
        lengths, size, shuffle=shuffle, pool=pool, drop_last=drop, generator=tn.Generator().manual_seed(1)
    )
    batches = list(sampler)
    assert len(batches) == len(sampler)
    found = [i for b in batches for i in b]
    assert len(found) == len(set(found))
    n = len(lengths)
    assert len(found) == (n - n % size if drop else n)
    assert all(len(b) == size for b in batches) or (not drop and sum(len(b) != size for b in batches) == 1)
    if not shuffle and not drop:
        assert [lengths[i] for i in found] == sorted(lengths)


def test_batches_by_length_are_seeded_and_have_little_padding():
    lengths = np.random.default_rng(0).integers(1, 50, (400, 2))

    def run(seed):
        return list(LengthBucketSampler(lengths, 8, generator=tn.Generator().manual_seed(seed)))

    def padding(batches):
        return sum(int((lengths[b, 0].max() - lengths[b, 0]).sum()) for b in batches)

    assert run(1) == run(1) != run(2)
    sampler = LengthBucketSampler(lengths, 8, generator=tn.Generator().manual_seed(1))
    assert list(sampler) != list(sampler)
    assert padding(run(1)) * 10 < padding([list(range(i, i + 8)) for i in range(0, 400, 8)])
    same = np.array([[3, 9], [3, 1], [3, 5], [1, 7]])
    assert list(LengthBucketSampler(same, 2, shuffle=False)) == [[3, 1], [2, 0]]
    tn.manual_seed(4)
    first = list(LengthBucketSampler(lengths, 8))
    tn.manual_seed(4)
    assert list(LengthBucketSampler(lengths, 8)) == first


def test_batches_by_length_in_a_loader():
    rows = [[i] * (i % 5 + 1) for i in range(20)]

    def run(start=0, workers=0):
        sampler = LengthBucketSampler([len(r) for r in rows], 4, generator=tn.Generator().manual_seed(3))
        loader = DataLoader(rows, batch_sampler=sampler, collate_fn=lambda b: pad_batch(b, -1), num_workers=workers)
        assert len(loader) == 5
        return [(ids.tolist(), n.tolist()) for ids, n in loader.iterate(start)]

    batches = run()
    assert sorted(row[0] for ids, _ in batches for row in ids) == list(range(20))
    assert run(2) == batches[2:]  # as when training is resumed
    assert run(workers=2) == batches


# real data


@pytest.mark.skipif(DATA is None, reason="TINYNET_DATA does not name the data's folder")
def test_real_files():
    folder = Path(DATA)
    plays = read_text(folder / "shakespeare/input.txt")
    t = BPETokenizer.train(plays[:200_000], 600)
    assert t.decode(t.encode(plays)) == plays
    pairs = read_pairs(folder / "multi30k/val.en.gz", folder / "multi30k/val.de.gz")
    assert len(pairs) == 1014
    german = WordTokenizer.train([b for _, b in pairs], specials=())
    back = sum(german.decode(german.encode(b)) == b for _, b in pairs)
    assert back > 950, "only quotation marks and the like lose their spaces"
    assert len(read_lines(folder / "names/names.txt")) == 32033
