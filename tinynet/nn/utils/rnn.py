"""Sequences of different lengths: packed without padding, padded to one length, and back.

Packed, the rows of step 0 of all sequences come first, then those of step 1 of the sequences that have one, and so on,
the longest sequence first. So the rows of a step are contiguous, and no step has more than the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._tensor import Tensor, new_tensor
from ...errors import DtypeError, OptionError, ShapeError
from ...ops import packing, shape
from ...ops.checks import one_of, tensor_of

Array = np.ndarray[Any, Any]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences of different lengths without padding; made by `pack_padded_sequence` and `pack_sequence`.

    data              (N, …), the rows of all steps
    batch_sizes       int64 (T,): how many sequences have a step t
    sorted_indices    int64 (B,): which sequence stands at each place, or None where they were sorted
    unsorted_indices  int64 (B,): the inverse permutation
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, tuple | list) or len(data) != 2:
                raise DtypeError("PackedSequence: expected data and batch_sizes, or a tuple of the two")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With `data` in another dtype or on another device; itself if nothing changes."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else PackedSequence(data, *self[1:])

    def cpu(self) -> PackedSequence:
        """Itself."""
        return self.to("cpu")

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Raises DeviceError where there is no such device."""
        return self.to("cuda")

    def double(self) -> PackedSequence:
        """In float64."""
        return self._cast("float64")

    def float(self) -> PackedSequence:
        """In float32."""
        return self._cast("float32")

    def half(self) -> PackedSequence:
        """In float16."""
        return self._cast("float16")

    def long(self) -> PackedSequence:
        """In int64."""
        return self._cast("int64")

    def int(self) -> PackedSequence:
        """In int32."""
        return self._cast("int32")

    def short(self) -> PackedSequence:
        """In int16."""
        return self._cast("int16")

    def char(self) -> PackedSequence:
        """In int8."""
        return self._cast("int8")

    def byte(self) -> PackedSequence:
        """In uint8."""
        return self._cast("uint8")

    def _cast(self, name: str) -> PackedSequence:
        from ... import dtypes

        return self.to(getattr(dtypes, name))

    def pin_memory(self) -> PackedSequence:
        """Itself: memory is not pinned here."""
        return self

    def is_pinned(self) -> bool:
        """False."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether `data` lies on a GPU."""
        return bool(self.data.is_cuda)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes `permutation`; None for None."""
    return None if permutation is None else new_tensor(np.argsort(permutation.array, kind="stable"))


def _rows_of(lengths: Array, first: Array, step: int) -> tuple[Array, Array]:
    """The places of the packed rows, in their order, and the sizes of the steps.

    lengths never grow; row t of sequence b lies at first[b] + t·step.
    """
    steps = np.arange(lengths.max())
    sizes = (lengths > steps[:, None]).sum(axis=1)
    there = steps[:, None] < lengths
    return (first + steps[:, None] * step)[there], sizes


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The sequences of a padded (T, B, …) tensor, (B, T, …) if `batch_first`, packed.

    lengths         (B,), each from 1 to T; with `enforce_sorted` they must not grow, without it sequences are sorted

    Raises ShapeError or OptionError where lengths are not of this kind. The inverse of `pad_packed_sequence`.
    """
    x = tensor_of("pack_padded_sequence", "input", input)
    n = lengths.array if isinstance(lengths, Tensor) else np.asarray(lengths)
    if n.dtype.kind not in "iu" and n.size:
        raise DtypeError(f"pack_padded_sequence: lengths must be integers, got dtype {n.dtype}")
    n = n.astype(np.int64)
    if x.ndim < 2 or n.ndim != 1:
        raise ShapeError(
            "pack_padded_sequence: expected input with at least 2 dimensions and lengths with 1, got shapes "
            f"{tuple(x.shape)} and {n.shape}"
        )
    t, b = (x.shape[1], x.shape[0]) if batch_first else (x.shape[0], x.shape[1])
    if len(n) != b or b == 0:
        raise ShapeError(
            f"pack_padded_sequence: Expected `len(lengths)` to be equal to batch_size, at least 1, but got {len(n)} "
            f"(batch_size={b})"
        )
    order = None
    if not enforce_sorted:
        order = np.argsort(-n, kind="stable")
        n = n[order]
    elif (np.diff(n) > 0).any():
        raise OptionError(
            "pack_padded_sequence: `lengths` array must be sorted in decreasing order when `enforce_sorted` is True; "
            f"pass enforce_sorted=False to have it sorted; got {n.tolist()}"
        )
    if n.min() <= 0:
        raise OptionError(
            f"pack_padded_sequence: Length of all samples has to be greater than 0, but found an element in 'lengths' "
            f"that is {n.min()}"
        )
    if n.max() > t:
        raise ShapeError(f"pack_padded_sequence: Expected lengths of at most {t}, the size of input, got {n.max()}")
    places = np.arange(b) if order is None else order
    rows, sizes = _rows_of(n, places * t if batch_first else places, 1 if batch_first else b)
    flat = x.reshape(t * b, *x.shape[2:])
    data = packing.take_rows(flat, rows=rows)
    return PackedSequence(data, new_tensor(sizes), None if order is None else new_tensor(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """(padded, lengths): the sequences as (T, B, …), (B, T, …) if `batch_first`, in the order that they had.

    T is the length of the longest, or `total_length`; `padding_value` stands behind the others. Raises ShapeError where
    total_length is less than the longest.
    """
    if not isinstance(sequence, PackedSequence):
        raise DtypeError(f"pad_packed_sequence: sequence must be a PackedSequence, got {type(sequence).__name__}")
    sizes = sequence.batch_sizes.array
    longest, b = len(sizes), int(sizes[0])
    if total_length is not None and total_length < longest:
        raise ShapeError(
            "pad_packed_sequence: Expected total_length to be at least the length of the longest sequence in input, but "
            f"got total_length={total_length} and max sequence length being {longest}"
        )
    t = longest if total_length is None else total_length
    lengths = (sizes > np.arange(b)[:, None]).sum(axis=1)
    places = np.arange(b) if sequence.sorted_indices is None else sequence.sorted_indices.array
    rows, _ = _rows_of(lengths, places * t if batch_first else places, 1 if batch_first else b)
    data = sequence.data
    padded = packing.put_rows(data, rows=rows, total=t * b, fill=padding_value)
    original = np.empty_like(lengths)
    original[places] = lengths
    return padded.reshape(*((b, t) if batch_first else (t, b)), *data.shape[1:]), new_tensor(original)


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (Lᵢ, …) stacked as (T, B, …), (B, T, …) if `batch_first`, with `padding_value` behind (or before) each.

    padding_side  "right" or "left"
    """
    xs = _tensors("pad_sequence", sequences)
    one_of("pad_sequence", "padding_side", padding_side, "right", "left")
    if any(x.ndim == 0 or x.shape[1:] != xs[0].shape[1:] for x in xs):
        shapes = ", ".join(str(tuple(x.shape)) for x in xs)
        raise ShapeError(f"pad_sequence: sequences must have the same dimensions after the first, got shapes {shapes}")
    lengths = np.array([x.shape[0] for x in xs])
    t, b = int(lengths.max()), len(xs)
    starts = t - lengths if padding_side == "left" else np.zeros(b, np.int64)
    places = [np.arange(n) + s for n, s in zip(lengths, starts, strict=True)]
    rows = np.concatenate([p + k * t if batch_first else p * b + k for k, p in enumerate(places)])
    padded = packing.put_rows(shape.cat(xs), rows=rows, total=t * b, fill=padding_value)
    return padded.reshape(*((b, t) if batch_first else (t, b)), *xs[0].shape[1:])


def _tensors(where: str, sequences: Any) -> list[Tensor]:
    if not isinstance(sequences, Iterable):
        raise DtypeError(
            f"{where}: Expected iterable for input sequences, but got arg of type {type(sequences).__name__}"
        )
    xs = [tensor_of(where, f"sequences[{k}]", x) for k, x in enumerate(sequences)]
    if not xs:
        raise ShapeError(f"{where}: expected at least one sequence, got none")
    return xs


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences (Lᵢ, …) of a padded (T, B, …) tensor, (B, T, …) if `batch_first`: the inverse of `pad_sequence`."""
    x = tensor_of("unpad_sequence", "padded_sequences", padded_sequences)
    ns = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    if x.ndim < 2 or len(ns) != x.shape[0 if batch_first else 1]:
        raise ShapeError(
            f"unpad_sequence: expected a length for each sequence, got {len(ns)} for shape {tuple(x.shape)}"
        )
    return [(x[k] if batch_first else x[:, k])[: int(n)] for k, n in enumerate(ns)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Tensors (Lᵢ, …) packed; with `enforce_sorted` lengths must not grow, without it sequences are sorted."""
    xs = _tensors("pack_sequence", sequences)
    return pack_padded_sequence(pad_sequence(xs), [x.shape[0] for x in xs], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences (Lᵢ, …), in the order that they had: the inverse of `pack_sequence`."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
