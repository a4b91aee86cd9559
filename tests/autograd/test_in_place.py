"""Views, changes in place, indexed assignment and version counters."""

import numpy as np
import pytest

import tinynet as tn
from tinynet.autograd import grad
from tinynet.errors import DtypeError, GraphError, ShapeError


def leaf(*shape, seed=0):
    return tn.from_numpy(np.random.default_rng(seed).normal(size=shape)).requires_grad_()


def test_views_share_memory():
    x = tn.zeros(2, 3)
    for view in (x[1], x.t(), x.view(6), x.reshape(3, 2), x[:, None], x.expand(2, 2, 3)[0], x.unsqueeze(0), x.detach()):
        assert np.shares_memory(view.numpy(), x.numpy())
    x[1].fill_(5.0)
    assert x.tolist() == [[0, 0, 0], [5, 5, 5]]
    assert not np.shares_memory(x.clone().numpy(), x.numpy())
    assert not np.shares_memory(x[[0]].numpy(), x.numpy())


def test_view_refuses_what_needs_a_copy():
    x = tn.zeros(2, 3).t()
    with pytest.raises(RuntimeError, match="use reshape"):
        x.view(6)
    assert x.reshape(6).shape == (6,)


def test_a_change_in_place_is_in_the_graph():
    w = leaf(3)
    a = tn.zeros(2, 3, dtype=tn.float64)
    a[0] = w
    a[1] += w * 2
    a.mul_(3)
    v = a[1]
    v.sin_()
    a.sum().backward()
    x = w.detach().numpy()
    np.testing.assert_allclose(w.grad.numpy(), 3 + np.cos(6 * x) * 6)


def test_a_view_taken_before_a_change_follows_it():
    w = leaf(4)
    base = w * 1.0
    v = base.view(2, 2)[0]
    base.mul_(base.detach().clone())
    (g,) = grad(v.sum(), w)
    x = w.detach().numpy()
    np.testing.assert_allclose(g.numpy(), [x[0], x[1], 0, 0])


def test_a_stale_saved_array_raises():
    x = leaf(3)
    y = x * 1.0
    z = y * y
    y.add_(1.0)
    with pytest.raises(RuntimeError, match="mul needs its input 'x', which an in-place operation has changed"):
        z.sum().backward()
    y = x * 1.0
    z = y.exp()
    z.add_(1.0)
    with pytest.raises(RuntimeError, match="its output"):
        z.sum().backward()
    y = x * 1.0
    z = y * y
    y.detach().zero_()
    with pytest.raises(RuntimeError, match="changed since"):
        z.sum().backward()


def test_a_change_of_what_is_not_saved_is_fine():
    x = leaf(3)
    y = x + 1.0
    z = y + 1.0
    y.mul_(2.0)
    (z.sum() + y.sum()).backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0]


def test_leaf_rules():
    x = leaf(3)
    for change in (lambda: x.add_(1.0), lambda: x.__setitem__(0, 1.0), lambda: x.zero_(), lambda: x[1:].mul_(2.0)):
        with pytest.raises(RuntimeError, match=r"leaf .* requires a gradient"):
            change()
    with tn.no_grad():
        x.sub_(1.0)
        x[0] = 2.0
        x[1:].mul_(2.0)
    assert x.is_leaf
    assert x.requires_grad


def test_a_view_made_under_no_grad_cannot_be_changed_while_recording():
    x = leaf(3) * 1.0
    with tn.no_grad():
        v = x[1:]
    with pytest.raises(RuntimeError, match="made under no_grad"):
        v.mul_(leaf(2))


def test_version_counters():
    x = tn.zeros(3)
    v = x[1:]
    assert x._version == 0
    v.add_(1.0)
    assert x._version == v._version == x.detach()._version == 1
    assert x.data._version == 0


def test_copy_and_zero_keep_their_edge():
    x, y = leaf(3), leaf(3, seed=1)
    a = x * 2
    a.copy_(y)
    assert a.requires_grad
    gx, gy = grad(a.sum(), (x, y))
    assert gx.tolist() == [0.0, 0.0, 0.0]
    assert gy.tolist() == [1.0, 1.0, 1.0]
    b = x * 2
    b.zero_()
    assert grad(b.sum(), x)[0].tolist() == [0.0, 0.0, 0.0]


def test_what_cannot_be_stored_raises():
    x = tn.zeros(2, 3)
    with pytest.raises(ShapeError, match=r"add_: .*\(2, 2, 3\)"):
        x.add_(tn.ones(2, 1, 3))
    with pytest.raises(DtypeError, match=r"cannot be stored"):
        tn.arange(3).mul_(0.5)
    with pytest.raises(DtypeError, match="cannot store"):
        tn.arange(3)[:] = tn.ones(3)
    with pytest.raises(GraphError, match=r"clone\(\) it first"):
        tn.zeros(3, 1).expand(3, 4).add_(1.0)
    read_only = np.zeros(3)
    read_only.flags.writeable = False
    with pytest.raises(GraphError, match="read-only"):
        tn.from_numpy(read_only).add_(1.0)
    with pytest.raises(ShapeError, match="index assignment"):
        x[0] = tn.zeros(4)


def test_assignment_casts_numbers_and_lower_kinds():
    x = tn.zeros(3)
    x[0], x[1:] = 1, tn.arange(2)
    assert x.tolist() == [1.0, 0.0, 1.0]
    i = tn.arange(3)
    i[0] = 2.7
    assert i.tolist() == [2, 1, 2]


@pytest.mark.parametrize(
    "key",
    [0, -1, slice(1, None), (slice(None), 1), (Ellipsis, 0), (None, 1), [0, 2], ([0, 1], [2, 3]), (1, [0, 1])],
    ids=str,
)
def test_assignment_and_its_gradients_by_any_index(key):
    a, v = leaf(3, 4), leaf(4, seed=1)
    index = tuple(np.asarray(k) if isinstance(k, list) else k for k in (key if isinstance(key, tuple) else (key,)))
    value = np.zeros((3, 4))[index]
    x = a * 1.0
    scalar = v.sum()
    x[key] = scalar
    weight = np.random.default_rng(5).normal(size=(3, 4))
    ga, gv = grad((x * tn.from_numpy(weight)).sum(), (a, v))
    kept = weight.copy()
    kept[index] = 0
    np.testing.assert_allclose(ga.numpy(), kept)
    np.testing.assert_allclose(gv.numpy(), np.full(4, weight[index].sum()))
    assert value.shape == weight[index].shape


def test_augmented_assignment_of_a_view_assigns_once():
    w = leaf(3)
    x = w * 1.0
    x[1:] += w[1:]
    x[0] *= 2.0
    x.sum().backward()
    assert w.grad.tolist() == [2.0, 2.0, 2.0]
    assert x._version == 2


def test_assignment_of_the_same_memory_from_elsewhere_in_the_graph_counts():
    w = leaf(3)
    y = w * 2
    cut = y.detach()
    cut[:] = y
    assert cut.requires_grad
    assert grad(cut.sum(), w)[0].tolist() == [2.0, 2.0, 2.0]
    y = w * 2
    y[1:] = y.detach()[1:]
    assert grad(y.sum(), w)[0].tolist() == [2.0, 0.0, 0.0]
    y = w * 2
    with tn.no_grad():
        part = y[1:]
    y[1:] = part
    assert grad(y.sum(), w)[0].tolist() == [2.0, 0.0, 0.0]


def test_a_part_of_an_expanded_tensor_without_repetition_can_be_changed():
    x = tn.zeros(3, 1)
    x.expand(3, 1).add_(1.0)
    x.expand(2, 3, 4)[1, :, 2].add_(1.0)
    assert x.tolist() == [[2.0]] * 3
    with pytest.raises(GraphError, match="lie in one place"):
        x.expand(3, 4).add_(1.0)


def test_data_is_outside_of_the_graph():
    x = leaf(2)
    y = x * 2
    x.data.fill_(1.0)
    y.sum().backward()
    x.data = tn.zeros(5, dtype=tn.float64)
    assert x.shape == (5,)
    assert x.is_leaf
