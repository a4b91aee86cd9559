"""A view made under no_grad is outside of the graph: changing it while recording would falsify its base's gradient."""

import pytest

import tinynet
from tinynet.errors import GraphError


def view_under_no_grad(base):
    with tinynet.no_grad():
        return base[:2]


@pytest.mark.parametrize("again", [False, True], ids=["view", "view of the view"])
def test_change_raises_where_the_base_requires_a_gradient(again):
    base = tinynet.ones(3, requires_grad=True) * 1
    view = view_under_no_grad(base)
    view = view[:1] if again else view
    with pytest.raises(GraphError, match="made under no_grad"):
        view.mul_(2)
    assert base.tolist() == [1, 1, 1]


def test_change_raises_where_the_new_value_requires_a_gradient():
    view = view_under_no_grad(tinynet.zeros(3))
    with pytest.raises(GraphError, match="made under no_grad"):
        view.add_(tinynet.ones(2, requires_grad=True))


def test_change_outside_of_any_graph_is_allowed():
    base = tinynet.zeros(3)
    view_under_no_grad(base).add_(2)
    assert base.tolist() == [2, 2, 0]
