"""Averages of the weights of a training (SWA, EMA), their schedule, and their batch-normalisation statistics."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .._tensor import Tensor, new_tensor
from ..autograd.modes import no_grad
from ..errors import OptionError, whole_number
from ..nn.module import Module
from ..nn.normalization import _BatchNorm
from .lr_scheduler.base import LRScheduler, check_optimizer, each_group
from .optimizer import Optimizer

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The function a, w, n ↦ decay·a + (1 − decay)·w of `AveragedModel`."""
    _check_decay("get_ema_avg_fn", decay)

    @no_grad()
    def ema_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return decay * averaged + (1 - decay) * current

    return ema_update


def get_swa_avg_fn() -> Average:
    """The function a, w, n ↦ a + (w − a)/(n + 1) of `AveragedModel`: the mean of all."""

    @no_grad()
    def swa_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return averaged + (current - averaged) / (int(num_averaged) + 1)

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """`get_ema_avg_fn` for lists, which it changes in place."""
    _check_decay("get_ema_multi_avg_fn", decay)
    return _of_lists(lambda a, w, n: _towards(a, w, 1 - decay))


def get_swa_multi_avg_fn() -> Averages:
    """`get_swa_avg_fn` for lists, which it changes in place."""
    return _of_lists(lambda a, w, n: _towards(a, w, 1 / (int(n) + 1)))


def _check_decay(where: str, decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise OptionError(f"{where}: decay must lie in [0, 1], got {decay!r}")


def _towards(a: Tensor, w: Tensor, share: float) -> Tensor:
    return a + (w - a) * share


def _of_lists(function: Average) -> Averages:
    @no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Any) -> None:
        for a, w in zip(averaged, current, strict=True):
            a.copy_(function(a, w, num_averaged))

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those it is shown.

    avg_fn        the new average from the old one, the parameter, and the number averaged so far; the mean by default
    multi_avg_fn  the same for lists of all, in place of avg_fn, changing the first list
    use_buffers   average the buffers too (running statistics); else they are copied

    Sources: Izmailov et al., UAI 2018 (SWA); Polyak and Juditsky, SIAM J. Control Optim. 30, 1992 (averages).
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise OptionError("AveragedModel: give avg_fn or multi_avg_fn, not both")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", new_tensor(np.asarray(0)))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the model does, with averaged parameters."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of `model` into the average."""
        averaged: list[Tensor] = list(self.module.parameters())
        current: list[Tensor] = list(model.parameters())
        buffers = list(zip(self.module.buffers(), model.buffers(), strict=True))
        if self.use_buffers:
            averaged += [a for a, _ in buffers]
            current += [b for _, b in buffers]
        if int(self.n_averaged) == 0:
            for a, w in zip(averaged, current, strict=True):
                a.detach().copy_(w)
        elif self.multi_avg_fn is not None:
            self.multi_avg_fn([a.detach() for a in averaged], [w.detach() for w in current], self.n_averaged)
        else:
            average = self.avg_fn or get_swa_avg_fn()
            for a, w in zip(averaged, current, strict=True):
                a.detach().copy_(average(a.detach(), w.detach(), self.n_averaged))
        if not self.use_buffers:
            for own, theirs in buffers:
                own.copy_(theirs)
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Set the running statistics of the model's batch normalisations to those over the batches of `loader`.

    loader  batches, or lists and tuples whose first item is one
    """
    layers = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not layers:
        return
    training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches
    for batch in loader:
        x = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for layer, momentum in layers.items():
        layer.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """From each group's rate to swa_lr over anneal_epochs, along a line or a cosine; then swa_lr.

    swa_lr           a number, or one for each group
    anneal_strategy  "cos" or "linear"

    Source: Izmailov et al., UAI 2018.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("SWALR", optimizer)
        if anneal_strategy not in ("cos", "linear"):
            raise OptionError(f"SWALR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.anneal_epochs = whole_number("SWALR", "anneal_epochs", anneal_epochs, 0)
        self._anneal_strategy = anneal_strategy
        for rate, group in zip(each_group("SWALR", "swa_lr", swa_lr, optimizer), optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate between where this began, as far as the last rate tells, and swa_lr."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            end = group["swa_lr"]
            start = end if before == 1 else (group["lr"] - before * end) / (1 - before)
            rates.append(end * now + start * (1 - now))
        return rates

    def _share(self, step: int) -> float:
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2
