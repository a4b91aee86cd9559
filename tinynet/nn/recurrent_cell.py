"""One step of a recurrent layer: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..ops import creation, recurrent
from . import init
from .module import Module
from .parameter import Parameter


class RNNCellBase(Module):
    """What the cells share: weight_ih (G·H, I), weight_hh (G·H, H), bias_ih, bias_hh (G·H,), from U(−1/√H, 1/√H)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        if input_size < 0 or hidden_size < 0:
            raise OptionError(f"{type(self).__name__}: sizes must be ≥ 0, got {input_size} and {hidden_size}")
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size

        def make(*shape: int) -> Parameter:
            return Parameter(creation.empty(*shape, device=device, dtype=dtype))

        self.weight_ih, self.weight_hh = make(rows, input_size), make(rows, hidden_size)
        self.register_parameter("bias_ih", make(rows) if bias else None)
        self.register_parameter("bias_hh", make(rows) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the default."""
        shown = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            shown += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            shown += f", nonlinearity={self.nonlinearity}"
        return shown

    def _input(self, x: Any) -> Tensor:
        """The input with a batch dimension."""
        name = type(self).__name__
        if not isinstance(x, Tensor):
            raise DtypeError(f"{name}: input must be a Tensor, got {type(x).__name__}")
        if x.ndim not in (1, 2):
            raise ShapeError(f"{name}: Expected input to be 1D or 2D, got {x.ndim}D instead")
        if x.shape[-1] != self.input_size:
            raise ShapeError(f"{name}: input has {x.shape[-1]} features, expected input_size {self.input_size}")
        return x if x.ndim == 2 else x.unsqueeze(0)

    def _state(self, what: str, hx: Any, x: Tensor) -> Tensor:
        """The state with a batch dimension; zeros for None."""
        name, batch = type(self).__name__, 1 if x.ndim == 1 else int(x.shape[0])
        if hx is None:
            return creation.zeros(batch, self.hidden_size, dtype=x.dtype)
        if not isinstance(hx, Tensor):
            raise DtypeError(f"{name}: {what} must be a Tensor, got {type(hx).__name__}")
        if hx.ndim not in (1, 2):
            raise ShapeError(f"{name}: Expected {what} to be 1D or 2D, got {hx.ndim}D instead")
        expected = (*x.shape[:-1], self.hidden_size)
        if tuple(hx.shape) != expected:
            raise ShapeError(f"{name}: Expected {what} of shape {expected}, got {tuple(hx.shape)}")
        return hx if hx.ndim == 2 else hx.unsqueeze(0)

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh


class RNNCell(RNNCellBase):
    """h′ = f(W_ih x + b_ih + W_hh h + b_hh), f tanh or (`nonlinearity="relu"`) max(·, 0)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """h′ (B, H) of input (B, I) and h (B, H), by default zeros; or all without B."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"RNNCell: Unknown nonlinearity: {self.nonlinearity}")
        step = recurrent.rnn_tanh_cell if self.nonlinearity == "tanh" else recurrent.rnn_relu_cell
        x = self._input(input)
        h = step(x, self._state("hidden", hx, input), *self._weights())
        return h if input.ndim == 2 else h.squeeze(0)


class LSTMCell(RNNCellBase):
    """i, f, g, o = W_ih x + b_ih + W_hh h + b_hh; c′ = σ(f)·c + σ(i)·tanh(g); h′ = σ(o)·tanh(c′)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """h′ and c′ (B, H) of input (B, I), and h and c (B, H), by default zeros; or all without B."""
        if hx is not None and (not isinstance(hx, tuple | list) or len(hx) != 2):
            raise DtypeError(f"LSTMCell: hx must be a tuple of two Tensors, (h_0, c_0), got {type(hx).__name__}")
        x = self._input(input)
        states = [self._state(f"hx[{k}]", None if hx is None else hx[k], input) for k in range(2)]
        h, c = recurrent.lstm_cell(x, states, *self._weights())
        return (h, c) if input.ndim == 2 else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """r, z = σ(a + v), n = tanh(a_n + r·v_n), h′ = (1 − z)·n + z·h, of a = W_ih x + b_ih and v = W_hh h + b_hh."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """h′ (B, H) of input (B, I) and h (B, H), by default zeros; or all without B."""
        x = self._input(input)
        h = recurrent.gru_cell(x, self._state("hidden", hx, input), *self._weights())
        return h if input.ndim == 2 else h.squeeze(0)
