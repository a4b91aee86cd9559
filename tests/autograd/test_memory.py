"""Deep graphs, and freeing without the garbage collector."""

import gc

import tinynet as tn
from tinynet import nn
from tinynet._tensor import Tensor
from tinynet.autograd.node import Leaf, Node, Part


def test_a_chain_of_a_million_operations():
    x = tn.ones(1, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    y.backward()
    assert x.grad.tolist() == [1.0]
    del y


def counts():
    kinds = [type(o) for o in gc.get_objects()]  # isinstance would ask each object for its __class__, which may warn
    return sum(issubclass(k, Tensor) for k in kinds), sum(issubclass(k, Node | Leaf | Part) for k in kinds)


def test_every_tensor_of_a_finished_step_is_freed():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(36, 10)
    )
    optimizer = tn.optim.Adam(model.parameters())

    def step():
        x = tn.randn(4, 1, 8, 8)
        loss = nn.functional.cross_entropy(model(x), tn.tensor([1, 2, 3, 4]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        h, w = x.clone(), tn.randn(8, 8, requires_grad=True)
        for i in range(3):  # a recurrence in place: each row from the one before
            h[:, 0, i + 1] = tn.tanh(h[:, 0, i].clone() @ w)
        h.sum().backward()
        (g,) = tn.autograd.grad((w * w * w).sum(), w, create_graph=True)
        (g * g).sum().backward()
        y = (w * 2).requires_grad_()
        y.retain_grad()
        y.register_hook(lambda g: g * 2)
        (y * y).sum().backward()

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        before = counts()
        for _ in range(5):
            step()
        assert counts() == before
    finally:
        gc.enable()
