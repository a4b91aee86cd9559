"""Recurrent layers over sequences: RNN, LSTM, GRU."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable
from typing import Any

from .._tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..ops import creation, indexing, recurrent
from . import init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

# rows of the matrices for each unit, and what computes them
MODES: dict[str, tuple[int, Callable[..., Any]]] = {
    "LSTM": (4, recurrent.lstm),
    "GRU": (3, recurrent.gru),
    "RNN_TANH": (1, recurrent.rnn_tanh),
    "RNN_RELU": (1, recurrent.rnn_relu),
}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: their parameters, and the shapes that they take.

    input_size, hidden_size  features of the input (I) and of the state (H)
    num_layers     layers, each over the outputs of the one before
    bias           learn b_ih and b_hh
    batch_first    input and output are (B, T, …) and not (T, B, …); states are not concerned
    dropout        in training, probability that an element between two layers becomes 0
    bidirectional  a second run over the reversed sequence; D is 2, else 1
    proj_size      of LSTM alone: project the outputs h to P numbers; 0 for none, and P = H

    Parameters of layer k: weight_ih_l{k} (G·H, I or D·P), weight_hh_l{k} (G·H, P), bias_ih_l{k}, bias_hh_l{k} (G·H,),
    weight_hr_l{k} (P, H); with the ending _reverse for the second direction; all from U(−1/√H, 1/√H). G is the number of
    gates: 4 for LSTM (i, f, g, o), 3 for GRU (r, z, n), 1 for RNN.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise OptionError(f"RNNBase: unrecognized RNN mode: {mode!r}; expected one of {', '.join(MODES)}")
        _check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode = mode
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        self.proj_size = proj_size
        self._names: list[list[str]] = []
        rows, out = MODES[mode][0] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            features = out * (2 if bidirectional else 1) if layer else input_size
            for suffix in ("", "_reverse")[: 2 if bidirectional else 1]:
                shapes: dict[str, tuple[int, ...]] = {
                    f"weight_ih_l{layer}{suffix}": (rows, features),
                    f"weight_hh_l{layer}{suffix}": (rows, out),
                }
                if bias:
                    shapes |= {f"bias_ih_l{layer}{suffix}": (rows,), f"bias_hh_l{layer}{suffix}": (rows,)}
                if proj_size:
                    shapes[f"weight_hr_l{layer}{suffix}"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    setattr(self, name, Parameter(creation.empty(shape, device=device, dtype=dtype)))
                self._names.append(list(shapes))
        self.reset_parameters()

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def flatten_parameters(self) -> None:
        """Nothing: parameters need no common memory here."""

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless the input has the weights' dtype, the rank that it must have, and `input_size` features."""
        name, weight = type(self).__name__, self.all_weights[0][0]
        if input.dtype is not weight.dtype:
            raise DtypeError(f"{name}: input dtype ({input.dtype}) does not match weight dtype ({weight.dtype})")
        expected = 2 if batch_sizes is not None else 3
        if input.ndim != expected:
            raise ShapeError(f"{name}: input must have {expected} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of h₀."""
        return (len(self._names), self._batch(input, batch_sizes), self.proj_size or self.hidden_size)

    def _batch(self, input: Tensor, batch_sizes: Tensor | None) -> int:
        if batch_sizes is not None:
            return int(batch_sizes[0])
        return int(input.shape[0 if self.batch_first else 1])

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise unless the state has the shape that is expected."""
        if not isinstance(hx, Tensor):
            raise DtypeError(f"{type(self).__name__}: hx must be a Tensor, got {type(hx).__name__}")
        if tuple(hx.shape) != expected_hidden_size:
            raise ShapeError(f"{type(self).__name__}: " + msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise unless input and state fit the layer, and each other."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The state with its sequences in another order."""
        return hx if permutation is None else indexing.index_select(hx, 1, permutation)

    def _zeros(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        return creation.zeros(self.get_expected_hidden_size(input, batch_sizes), dtype=input.dtype)

    def _check_ranks(self, hx: Any, input: Tensor) -> None:
        if isinstance(hx, Tensor) and hx.ndim != input.ndim:
            kind = "batched 3-D" if input.ndim == 3 else "unbatched 2-D"
            raise ShapeError(
                f"{type(self).__name__}: for {kind} input, hx should also be {input.ndim}-D but got {hx.ndim}-D tensor"
            )

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(output, final state) of (T, B, I), of (B, T, I) if batch_first, of one sequence (T, I), or of a PackedSequence.

        output (T, B, D·P), laid out as the input; states (num_layers·D, B, P), of one sequence without B. `hx` is the
        state before the first step, by default zeros.
        """
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        if not isinstance(input, Tensor):
            raise DtypeError(
                f"{type(self).__name__}: input must be a Tensor or a PackedSequence, got {type(input).__name__}"
            )
        if input.ndim not in (2, 3):
            raise ShapeError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead")
        if hx is not None:
            self._check_ranks(hx, input)
        if input.ndim == 3:
            return self._sequence(input, hx, None)
        axis = 0 if self.batch_first else 1
        y, final = self._sequence(
            input.unsqueeze(axis), None if hx is None else _each(hx, lambda s: s.unsqueeze(1)), None
        )
        return y.squeeze(axis), _each(final, lambda s: s.squeeze(1))

    def _packed(self, input: PackedSequence, hx: Any) -> Any:
        data, sizes, order, back = input
        y, final = self._sequence(data, None if hx is None else self.permute_hidden(hx, order), sizes)
        return PackedSequence(y, sizes, order, back), self.permute_hidden(final, back)

    def _sequence(self, x: Tensor, hx: Any, batch_sizes: Tensor | None) -> tuple[Tensor, Any]:
        self.check_input(x, batch_sizes)
        hx = self._zeros(x, batch_sizes) if hx is None else hx
        self.check_forward_args(x, hx, batch_sizes)
        weights = [w for group in self.all_weights for w in group]
        options = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        y, *final = MODES[self.mode][1](x, hx, weights, *options, self.batch_first, batch_sizes=batch_sizes)
        return y, final[0] if len(final) == 1 else tuple(final)

    def extra_repr(self) -> str:
        """The options that are not the default."""
        shown = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, default in defaults.items():
            if getattr(self, name) != default:
                shown += f", {name}={getattr(self, name)}"
        return shown


def _each(hx: Any, f: Callable[[Tensor], Tensor]) -> Any:
    return tuple(f(s) for s in hx) if isinstance(hx, tuple | list) else f(hx)


def _check_options(
    input_size: Any, hidden_size: Any, num_layers: int, bias: Any, batch_first: Any, dropout: Any, proj_size: int
) -> None:
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise OptionError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, "
            f"got {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value, kind in (
        ("bias", bias, bool),
        ("batch_first", batch_first, bool),
        ("input_size", input_size, int),
        ("hidden_size", hidden_size, int),
    ):
        if not isinstance(value, kind):
            raise DtypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if value <= 0:
            raise OptionError(f"{name} must be greater than zero, got {value}")
    if not 0 <= proj_size < hidden_size:
        raise OptionError(
            f"proj_size must be 0, for no projection, or smaller than hidden_size {hidden_size}, got {proj_size}"
        )


class RNN(RNNBase):
    """Elman's network (E14): hₜ = f(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh), f tanh or (`nonlinearity="relu"`) max(·, 0).

    Options, shapes and parameters as in `RNNBase`; `nonlinearity` is the fourth argument. Returns output, h_n.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **unknown: Any,
    ) -> None:
        _refuse_projection("RNN", unknown)
        if nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"Unknown nonlinearity {nonlinearity!r}. Select from 'tanh' or 'relu'.")
        options = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__("RNN_" + nonlinearity.upper(), input_size, hidden_size, *options)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory: i, f, g, o = W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh; cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g);
    hₜ = σ(o)·tanh(cₜ), with proj_size projected by W_hr.

    Options, shapes and parameters as in `RNNBase`. The state is (h, c), c (num_layers·D, B, H). Returns output, (h_n,
    c_n). Source: Hochreiter and Schmidhuber, Neural Computation 9, 1997.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        options = (num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)
        super().__init__("LSTM", input_size, hidden_size, *options)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of c₀."""
        return (len(self._names), self._batch(input, batch_sizes), self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise unless input and states fit the layer, and each other."""
        self.check_input(input, batch_sizes)
        expected = self.get_expected_hidden_size(input, batch_sizes), self.get_expected_cell_size(input, batch_sizes)
        for k in range(2):
            self.check_hidden_size(hidden[k], expected[k], f"Expected hidden[{k}] size {{}}, got {{}}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states with their sequences in another order."""
        _check_pair(hx)
        return tuple(super(LSTM, self).permute_hidden(s, permutation) for s in hx)

    def _zeros(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        cell = creation.zeros(self.get_expected_cell_size(input, batch_sizes), dtype=input.dtype)
        return super()._zeros(input, batch_sizes), cell

    def _check_ranks(self, hx: Any, input: Tensor) -> None:
        _check_pair(hx)
        for s in hx:
            super()._check_ranks(s, input)


def _check_pair(hx: Any) -> None:
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise DtypeError(f"LSTM: hx must be a tuple of two Tensors, (h_0, c_0), got {type(hx).__name__}")


class GRU(RNNBase):
    """Gated recurrent units: r, z = σ(a + v), n = tanh(a_n + r·v_n), hₜ = (1 − z)·n + z·hₜ₋₁, where a = W_ih xₜ + b_ih and
    v = W_hh hₜ₋₁ + b_hh have a part for each of r, z, n.

    Options, shapes and parameters as in `RNNBase`. Returns output, h_n. Source: Cho et al., EMNLP 2014,
    arXiv:1406.1078, but for the place of r, which follows PyTorch and cuDNN.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **unknown: Any,
    ) -> None:
        _refuse_projection("GRU", unknown)
        options = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__("GRU", input_size, hidden_size, *options)


def _refuse_projection(name: str, unknown: dict[str, Any]) -> None:
    if "proj_size" in unknown:
        raise OptionError(f"{name}: proj_size argument is only supported for LSTM, not RNN or GRU")
    if unknown:
        raise TypeError(f"{name}.__init__() got an unexpected keyword argument {next(iter(unknown))!r}")
