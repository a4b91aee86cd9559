"""The machine of views and changes in place: it passes on tinynet and on PyTorch, and finds each planted fault."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

import tinynet as tn
from tests.examples import examples
from tinynet._tensor import Tensor, new_tensor
from tinynet.autograd import engine, primitive, views
from tinynet.autograd.modes import modes
from tinynet.autograd.primitive import Gradient
from tinynet.ops.primitives import indexing as primitives
from tinynet.testing import stateful

STEPS = 25
MOST = 2000  # examples to find a planted fault in
SEARCH = settings(
    max_examples=MOST,
    stateful_step_count=STEPS,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def run(machine: type[RuleBasedStateMachine], n: int) -> None:
    run_state_machine_as_test(machine, settings=settings(examples(n), stateful_step_count=STEPS))


def test_tinynet() -> None:
    run(stateful.view_machine(), 500)


def test_pytorch() -> None:
    torch = pytest.importorskip("torch")
    run(stateful.view_machine(torch, aliased=False), 100)


# faults: each takes monkeypatch, and breaks one thing


def lost_in_base(patch: Any) -> None:
    """A change of a view is in the view's graph only."""

    def rebase(name: str, x: Tensor, node: Any) -> None:
        if x.view_of is not None:
            x.view_of = (*x.view_of[:2], x.memory[1], True)
        x.node = node

    patch.setattr(views, "rebase", rebase)


def lost_in_memory(patch: Any) -> None:
    """A change of a view leaves the memory of its base alone."""
    store = views.store

    def apart(name: str, x: Tensor, new: Tensor) -> None:
        if x.view_of is not None:
            x.array = x.array.copy()
        store(name, x, new)

    patch.setattr(views, "store", apart)


def stale_view(patch: Any) -> None:
    """A view does not follow a change of its base."""

    def describe(x: Tensor) -> None:
        assert x.view_of is not None
        x.view_of = (*x.view_of[:2], x.memory[1], x.view_of[3])

    patch.setattr(views, "describe", describe)


def kept_under_assignment(patch: Any) -> None:
    """x[i] = v leaves x a gradient at i."""
    put = primitives.put
    patch.setattr(put, "gradients", [Gradient(lambda dz: dz, put.inputs, False), put.gradients[1]])


def kept_under_view(patch: Any) -> None:
    """A change of a view leaves the base a gradient there, from before the change."""
    paste = views.paste
    patch.setattr(paste, "gradients", [Gradient(lambda dz: dz, paste.inputs, False), paste.gradients[1]])


def overwritten_grad(patch: Any) -> None:
    """`.grad` holds the last gradient, not the sum."""

    def accumulate(tensor: Tensor, g: Any, mine: bool, graph: bool) -> None:
        tensor._grad = new_tensor(np.array(g))

    patch.setattr(engine, "accumulate", accumulate)


def copying_detach(patch: Any) -> None:
    """`detach` has memory of its own."""
    patch.setattr(Tensor, "detach", lambda x: new_tensor(x.array.copy()))


def unversioned_detach(patch: Any) -> None:
    """Changes through `detach` are not noticed by what saved the memory."""
    patch.setattr(Tensor, "detach", lambda x: new_tensor(x.array))


def unchecked_versions(patch: Any) -> None:
    """What was saved is used, changed or not."""
    patch.setattr(primitive, "check_saved", lambda node, names: node.saved)


def unlinked_transpose(patch: Any) -> None:
    """A transposed tensor shares memory with its base, and does not know."""
    link = primitive.link_view

    def forget(op: Any, x: Tensor, z: Tensor, options: Any) -> None:
        if op.name != "permute":
            link(op, x, z, options)

    patch.setattr(primitive, "link_view", forget)


def short_path(patch: Any) -> None:
    """The view of a view remembers only its last step."""
    link = primitive.link_view

    def forget(op: Any, x: Tensor, z: Tensor, options: Any) -> None:
        link(op, x, z, options)
        if z.view_of is not None:
            z.view_of = (z.view_of[0], z.view_of[1][-1:], *z.view_of[2:])

    patch.setattr(primitive, "link_view", forget)


def unchecked_leaves(patch: Any) -> None:
    """Leaves and repeated memory can be changed in place."""
    patch.setattr(views, "check_writeable", lambda x, name: None)


def recorded_under_no_grad(patch: Any) -> None:
    """A change under no_grad cuts the tensor off its graph."""
    inplace = views.inplace

    def cutting(name: str, x: Tensor, f: Any) -> Tensor:
        inplace(name, x, f)
        if not modes.recording and x.view_of is None and not x.is_leaf:
            x.node = None
        return x

    patch.setattr(views, "inplace", cutting)


def same_place_by_memory(patch: Any) -> None:
    """An assignment of the same memory does nothing, wherever it lies in the graph."""
    from tinynet.ops import indexing

    def same(x: Tensor, basic: Any, value: Tensor) -> bool:
        place = x.array[(*basic, ...)]
        return value.memory is x.memory and place.__array_interface__ == value.array.__array_interface__

    patch.setattr(indexing, "_is_same_place", same)


FAULTS: list[Any] = [
    lost_in_base,
    lost_in_memory,
    stale_view,
    kept_under_assignment,
    kept_under_view,
    overwritten_grad,
    copying_detach,
    unversioned_detach,
    unchecked_versions,
    unlinked_transpose,
    short_path,
    unchecked_leaves,
    recorded_under_no_grad,
    same_place_by_memory,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_finds(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault is unversioned_detach and settings.get_current_profile_name() != "thorough":
        pytest.skip("found, but in a minute or two: under the thorough profile")
    runs = []

    class Counted(stateful.view_machine()):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            runs.append(1)

    fault(monkeypatch)
    with pytest.raises(AssertionError, match="the program, with the names of tinynet"):
        run_state_machine_as_test(Counted, settings=SEARCH)
    print(f"{fault.__name__}: found in example {len(runs)}")
    assert len(runs) <= MOST


def test_a_failing_program_is_small_and_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    copying_detach(monkeypatch)
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(
            stateful.view_machine(tn), settings=settings(SEARCH, phases=[Phase.generate, Phase.shrink])
        )
    message, program = str(caught.value).split("the program, with the names of tinynet:\n")
    lines = [line.strip() for line in program.splitlines()]
    assert message.startswith("the value of x")
    assert len(lines) <= 4
    assert lines[0].startswith("x0 = tensor(")
    assert any(line.endswith(".detach()") for line in lines)
