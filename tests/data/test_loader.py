"""Datasets, samplers, the loader and its threads."""

import functools
import operator
import threading
import time
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import tinynet as tn
from tests.data.spawned import Noise, Stream
from tinynet.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    Digits,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)
from tinynet.errors import OptionError, RangeError, ShapeError


class Squares(Dataset):
    def __init__(self, n=10):
        self.n = n

    def __getitem__(self, i):
        if not 0 <= i < self.n:
            raise IndexError(i)
        return tn.full((2,), float(i)), i * i

    def __len__(self):
        return self.n


class Noisy(Squares):
    """Random inside: as an augmentation is."""

    def __getitem__(self, i):
        return tn.rand(3) + i


def test_batches_in_order():
    batches = list(DataLoader(Squares(), 4))
    assert [b[1].tolist() for b in batches] == [[0, 1, 4, 9], [16, 25, 36, 49], [64, 81]]
    assert batches[0][0].shape == (4, 2)
    assert batches[0][1].dtype is tn.int64
    loader = DataLoader(Squares(), 4, drop_last=True)
    assert len(loader) == len(list(loader)) == 2
    assert len(DataLoader(Squares(), 4)) == 3
    assert [int(x[1]) for x in DataLoader(Squares(3), None)] == [0, 1, 4]
    assert list(DataLoader(Squares(0), 4)) == []


def test_shuffling_is_seeded_and_covers_everything():
    tn.manual_seed(5)
    first = [b[1].tolist() for b in DataLoader(Squares(), 3, shuffle=True)]
    tn.manual_seed(5)
    loader = DataLoader(Squares(), 3, shuffle=True)
    assert [b[1].tolist() for b in loader] == first
    assert sorted(functools.reduce(operator.iadd, first, [])) == [i * i for i in range(10)]
    assert [b[1].tolist() for b in loader] != first
    own = tn.Generator().manual_seed(1)
    again = tn.Generator().manual_seed(1)
    a = [b[1].tolist() for b in DataLoader(Squares(), 3, shuffle=True, generator=own)]
    assert a == [b[1].tolist() for b in DataLoader(Squares(), 3, shuffle=True, generator=again)]


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_change_nothing(workers):
    def run(n):
        tn.manual_seed(7)
        loader = DataLoader(Noisy(), 3, shuffle=True, num_workers=n)
        return [b.numpy().copy() for _ in range(2) for b in loader]

    for a, b in zip(run(0), run(workers), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_pass_can_start_in_the_middle():
    def run(start):
        tn.manual_seed(7)
        return [b.numpy().copy() for b in DataLoader(Noisy(), 3, shuffle=True).iterate(start)]

    for a, b in zip(run(0)[2:], run(2), strict=True):
        np.testing.assert_array_equal(a, b)


def test_workers_fetch_ahead_and_know_who_they_are():
    seen = []

    class Watched(Squares):
        def __getitem__(self, i):
            info = get_worker_info()
            seen.append((i, info.id, info.num_workers))
            return super().__getitem__(i)

    started = []
    loader = DataLoader(Watched(), 1, num_workers=2, prefetch_factor=2, worker_init_fn=started.append)
    batches = iter(loader)
    next(batches)
    time.sleep(0.1)
    assert 3 <= len(seen) <= 6
    assert {s[2] for s in seen} == {2}
    assert sorted(started) == [0, 1]
    assert get_worker_info() is None
    batches.close()


def test_an_error_in_a_worker_reaches_the_caller_and_threads_end():
    class Broken(Squares):
        def __getitem__(self, i):
            if i == 5:
                raise KeyError("five")
            return super().__getitem__(i)

    with pytest.raises(KeyError, match="five"):
        list(DataLoader(Broken(), 2, num_workers=2))
    time.sleep(0.1)
    assert not [t for t in threading.enumerate() if t.name.startswith("tinynet-loader")]

    class Slow(Squares):
        def __getitem__(self, i):
            time.sleep(0.4)
            return super().__getitem__(i)

    with pytest.raises(RuntimeError, match=r"within timeout=0\.05"):
        next(iter(DataLoader(Slow(), 1, num_workers=1, timeout=0.05)))


def test_an_iterable_dataset():
    assert [b.tolist() for b in DataLoader(Stream(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [int(x) for x in DataLoader(Stream(3), None)] == [0, 1, 2]
    assert len(DataLoader(Stream(5), 2, drop_last=True)) == len(list(DataLoader(Stream(5), 2, drop_last=True))) == 2
    assert [b.tolist() for b in DataLoader(Stream(5), 2).iterate(1)] == [[2, 3], [4]]
    assert list(DataLoader(Stream(0), 2, num_workers=2)) == []


@pytest.mark.parametrize("in_order", [True, False])
def test_workers_share_an_iterable_dataset(in_order):
    def all_of_it(workers, **options):
        loader = DataLoader(Stream(11), 2, num_workers=workers, in_order=in_order, **options)
        return [b.tolist() for b in loader]

    both = all_of_it(2)  # no part of its own: each worker gives everything
    assert sorted(x for b in both for x in b) == sorted([*range(11)] * 2)
    if in_order:
        assert both[:4] == [[0, 1], [0, 1], [2, 3], [2, 3]]
    parts = all_of_it(3, worker_init_fn=take_a_part)
    assert sorted(x for b in parts for x in b) == list(range(11))
    if in_order:
        assert parts == [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8]]


def take_a_part(worker):
    info = get_worker_info()
    assert info.id == worker
    info.dataset.first, info.dataset.step = worker, info.num_workers  # its own copy


def test_persistent_workers_and_batches_as_they_come():
    started = []
    loader = DataLoader(Noise(6), 2, num_workers=2, persistent_workers=True, worker_init_fn=started.append)
    plain = DataLoader(Noise(6), 2)
    for _ in range(3):
        tn.manual_seed(1)
        wanted = [b.tolist() for b in plain]
        tn.manual_seed(1)
        assert [b.tolist() for b in loader] == wanted
    next(iter(loader))  # a pass that is left in its middle
    assert len(list(loader)) == 3
    assert sorted(started) == [0, 1]
    first, second = iter(loader), iter(loader)
    next(first), next(second)
    with pytest.raises(RuntimeError, match="another pass"):
        list(first)

    class Late(Squares):
        def __getitem__(self, i):
            time.sleep(0.2 if i == 0 else 0)
            return i

    assert [int(b) for b in DataLoader(Late(4), 1, num_workers=2, in_order=False)] == [1, 3, 0, 2]
    assert [int(b) for b in DataLoader(Late(4), 1, num_workers=2)] == [0, 1, 2, 3]


def test_processes():
    def batches(**options):
        tn.manual_seed(3)
        return [b.tolist() for b in DataLoader(Noise(7), 2, shuffle=True, **options)]

    wanted = batches()
    loader = DataLoader(
        Noise(7),
        2,
        shuffle=True,
        num_workers=2,
        multiprocessing_context="spawn",
        persistent_workers=True,
        timeout=60,
    )
    tn.manual_seed(3)
    assert [b.tolist() for b in loader] == wanted
    loader.batch_sampler.sampler = [0, -1]
    with pytest.raises(ZeroDivisionError, match=r"(?s)worker process \d.*Traceback.*spawned\.py"):
        list(loader)
    loader.batch_sampler.sampler = [0, -2]
    with pytest.raises(RuntimeError, match=r"a worker ended unexpectedly: tinynet-loader-0 \(7\)"):
        list(loader)


def test_collate():
    Point = namedtuple("Point", "x y")
    batch = default_collate([{"a": 1, "b": Point(1.5, "s"), "c": [np.ones(2), True]} for _ in range(3)])
    assert batch["a"].tolist() == [1, 1, 1]
    assert batch["b"].x.dtype is tn.float64
    assert batch["b"].y == ["s"] * 3
    assert batch["c"][0].shape == (3, 2)
    assert batch["c"][1].dtype is tn.bool
    with pytest.raises(ShapeError, match="different lengths"):
        default_collate([[1], [1, 2]])
    with pytest.raises(ShapeError, match=r"item 0 has shape \(2,\) and item 1 \(3,\)"):
        default_collate([tn.ones(2), tn.ones(3)])
    with pytest.raises(ShapeError, match="key 'a'"):
        default_collate([{"a": 1}, {"b": 1}])
    found = default_collate([OrderedDict(a=b"x", b=(1, 2.0))] * 2)
    assert type(found) is OrderedDict
    assert found["a"] == [b"x"] * 2
    assert [t.tolist() for t in found["b"]] == [[1, 1], [2.0, 2.0]]
    found = default_convert({"a": (np.ones(2), np.float32(3)), "b": Point("s", np.array("s"))})
    assert found["a"][0].tolist() == [1, 1]
    assert found["a"][1].dtype is tn.float32
    assert found["b"].y.dtype.kind == "U"
    with pytest.raises(TypeError, match="got object"):
        default_collate([object()])
    assert DataLoader(Squares(4), 2, collate_fn=len).__iter__().__next__() == 2


def test_samplers():
    assert list(SequentialSampler(range(3))) == [0, 1, 2]
    tn.manual_seed(0)
    assert sorted(RandomSampler(range(5))) == [0, 1, 2, 3, 4]
    assert len(list(RandomSampler(range(5), num_samples=12))) == 12
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=100))
    assert set(drawn) == {0, 1, 2, 3, 4}
    assert sorted(SubsetRandomSampler([3, 9])) == [3, 9]
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    batches = [[0, 3], [2]]
    assert [b[1].tolist() for b in DataLoader(Squares(), batch_sampler=batches)] == [[0, 9], [4]]
    assert [b[1].tolist() for b in DataLoader(Squares(), 2, sampler=[1, 2, 3])] == [[1, 4], [9]]


@pytest.mark.parametrize("replacement", [True, False])
def test_weighted_sampler(replacement):
    weights = [0.0, 1.0, 2.0, 5.0, 0.0]
    tn.manual_seed(0)
    sampler = WeightedRandomSampler(weights, 3, replacement)
    assert len(sampler) == 3
    draws = np.array([list(sampler) for _ in range(3000)])
    shares = np.bincount(draws[:, 0], minlength=5) / len(draws)
    np.testing.assert_allclose(shares, np.array(weights) / 8, atol=0.03)
    if replacement:
        np.testing.assert_allclose(np.bincount(draws[:, 2], minlength=5) / len(draws), shares, atol=0.04)
    else:
        assert {tuple(sorted(d)) for d in draws.tolist()} == {(1, 2, 3)}
        after = draws[draws[:, 0] == 3][:, 1]  # of what is left, 1 to 2
        assert np.mean(after == 2) == pytest.approx(2 / 3, abs=0.04)
        with pytest.raises(OptionError, match="3 positive weights"):
            WeightedRandomSampler(weights, 4, replacement)
    with pytest.raises(OptionError, match="not all 0"):
        WeightedRandomSampler([0.0, -1.0], 1)


def test_datasets_of_datasets():
    both = Squares(3) + Squares(2)
    assert isinstance(both, ConcatDataset)
    assert [both[i][1] for i in range(5)] == [0, 1, 4, 0, 1]
    assert (len(both), both[-1][1], both[-5][1], both.cumulative_sizes) == (5, 1, 0, [3, 5])
    for index in (5, -6):
        with pytest.raises(RangeError, match="5 items"):
            both[index]
    chain = Stream(2) + Stream(3)
    assert isinstance(chain, ChainDataset)
    assert [*chain] == [0, 1, 0, 1, 2]
    assert len(chain) == 5
    with pytest.raises(TypeError, match="ChainDataset"):
        ConcatDataset([chain])
    with pytest.raises(TypeError, match="dataset 0"):
        list(ChainDataset([both]))
    rows = TensorDataset(tn.arange(3))
    stacked = StackDataset(x=Squares(3), y=rows)
    assert stacked[2]["x"][1] == 4
    batch = next(iter(DataLoader(stacked, 2)))
    assert batch["y"][0].tolist() == [0, 1]
    assert StackDataset([5, 6], [7, 8])[1] == (6, 8)
    with pytest.raises(ShapeError, match=r"lengths \[2, 3\]"):
        StackDataset([1, 2], rows)


def test_datasets():
    x, y = tn.arange(12).reshape(6, 2), tn.arange(6)
    data = TensorDataset(x, y)
    assert len(data) == 6
    assert data[2][0].tolist() == [4, 5]
    a, b = next(iter(DataLoader(data, 4)))
    assert tn.equal(a, x[:4])
    assert tn.equal(b, y[:4])
    part = Subset(data, [5, 0])
    assert part[0][1].item() == 5
    assert next(iter(DataLoader(part, 2)))[1].tolist() == [5, 0]
    with pytest.raises(ShapeError, match="lengths must agree"):
        TensorDataset(x, tn.arange(5))
    tn.manual_seed(0)
    first, second = random_split(data, [4, 2])
    assert sorted([*first.indices, *second.indices]) == list(range(6))
    assert [len(p) for p in random_split(data, [0.5, 0.3, 0.2])] == [4, 1, 1]
    with pytest.raises(OptionError, match="do not sum"):
        random_split(data, [4, 3])
    digits = Digits(train=False)
    assert digits[0][0].shape == (1, 8, 8)
    assert 0 <= digits.images.min() <= digits.images.max() == 1
    with pytest.raises(RangeError, match="360"):
        digits[360]


def test_bad_options():
    for options, message in (
        ({"batch_size": 0}, "batch_size must be an integer"),
        ({"num_workers": -1}, "num_workers"),
        ({"sampler": [0], "shuffle": True}, "excludes shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler excludes"),
        ({"prefetch_factor": 2}, "prefetch_factor"),
        ({"batch_size": None, "drop_last": True}, "drop_last"),
    ):
        with pytest.raises(ValueError, match=message):
            DataLoader(Squares(), **options)
    for options, message in (
        ({"shuffle": "yes"}, "shuffle must be a bool"),
        ({"generator": 3}, "generator must be"),
        ({"worker_init_fn": 3, "num_workers": 1}, "worker_init_fn must be callable"),
    ):
        with pytest.raises(TypeError, match=message):
            DataLoader(Squares(), **options)
    with pytest.raises(TypeError, match="dataset must have"):
        DataLoader(5)
    with pytest.raises(TypeError, match="train must be True"):
        Digits(train="test")
    with pytest.raises(TypeError, match="or be an IterableDataset"):
        DataLoader(iter([1, 2]))
    for method in ("fork", "forkserver"):
        with pytest.raises(NotImplementedError, match=method):
            DataLoader(Squares(), num_workers=1, multiprocessing_context=method)
    with pytest.raises(ValueError, match="multiprocessing_context needs num_workers"):
        DataLoader(Squares(), multiprocessing_context="spawn")
    with pytest.raises(ValueError, match="excludes shuffle and samplers"):
        DataLoader(Stream(3), shuffle=True)


def test_pytorch_s_paths():
    import tinynet.utils.data as data
    from tinynet.utils.data import dataloader, dataset, sampler

    for module in (dataloader, dataset, sampler):
        for name in module.__all__:
            assert getattr(module, name) is getattr(data, name)
