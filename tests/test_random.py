"""The generator: Philox's published values, streams, distributions, determinism."""

import numpy as np
import pytest
from scipy import stats

import tinynet as tn
from tinynet.errors import OptionError
from tinynet.random import Generator, philox


# Known answers of Philox 4×32-10 from the Random123 distribution (kat_vectors): counter, key, first block.
@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (2**128 - 1, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            0x03707344_13198A2E_85A308D3_243F6A88,
            0x299F31D0_A4093822,
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(counter, key, words):
    assert [f"{w:08x}" for w in philox(key, counter, 4)] == words.split()


def test_first_values_of_seed_0():
    tn.manual_seed(0)
    np.testing.assert_array_equal(
        tn.rand(2).numpy(), ((np.array([0x6627E8D5, 0xE169C58D]) >> 8) * 2.0**-24).astype(np.float32)
    )


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 100_003])
@pytest.mark.parametrize("block", [0, 2**64 - 3])
def test_kernel_and_definition_give_the_same_words(n, block):
    g = Generator().manual_seed(1234567890123)
    g._block = block
    np.testing.assert_array_equal(g.words(n), philox(1234567890123, block, n))


def test_state_goes_on_where_it_was():
    g = Generator().manual_seed(-5)
    g.words(7)
    state = g.get_state()
    first = tn.randn(3, generator=g)
    other = Generator()
    other.set_state(state)
    assert tn.equal(first, tn.randn(3, generator=other))
    assert g.initial_seed() == 2**64 - 5
    tn.manual_seed(3)
    state = tn.get_rng_state()
    a = tn.rand(4)
    tn.set_rng_state(state)
    assert tn.equal(a, tn.rand(4))


def test_bad_seeds_and_states():
    with pytest.raises(TypeError, match="seed must be an integer"):
        tn.manual_seed(1.5)
    with pytest.raises(OptionError, match="64 bits"):
        tn.manual_seed(2**64)
    with pytest.raises(ValueError, match="set_state"):
        Generator().set_state(tn.zeros(3))


def test_distributions():
    tn.manual_seed(0)
    u = tn.rand(200_000, dtype=tn.float64).numpy()
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert u.min() >= 0
    assert u.max() < 1
    for dtype in (tn.float32, tn.float64):
        z = tn.randn(200_001, dtype=dtype).numpy()
        assert stats.kstest(z, "norm").pvalue > 1e-3
    counts = np.bincount(tn.randint(0, 7, (70_000,)).numpy(), minlength=7)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert abs(tn.bernoulli(tn.full((100_000,), 0.3)).mean().item() - 0.3) < 0.01
    p = tn.randperm(1000)
    assert sorted(p.tolist()) == list(range(1000))
    assert p.tolist() != list(range(1000))


@pytest.mark.parametrize("dtype", [tn.float16, tn.bfloat16, tn.float32, tn.float64])
def test_uniform_stays_below_one_in_every_dtype(dtype):
    u = tn.rand(100_000, dtype=dtype)
    assert u.dtype is dtype
    assert (u < 1).all()
    assert (u >= 0).all()


def test_bad_options():
    with pytest.raises(OptionError, match="low must be below high"):
        tn.randint(3, 3, (2,))
    with pytest.raises(TypeError, match="floating point"):
        tn.rand(2, dtype=tn.int64)
    with pytest.raises(TypeError, match="generator"):
        tn.rand(2, generator=3)
    with pytest.raises(OptionError, match=r"\[0, 1\]"):
        tn.bernoulli(tn.tensor([2.0]))
    assert tn.randn(0, 3).shape == (0, 3)
    assert tn.randperm(0).shape == (0,)
