"""The commands, with their options."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import click

from .. import __version__
from .text import TEXT_DATA as _TEXT_DATA
from .text import TEXT_MODELS as _TEXT_MODELS
from .text import evaluate_text, figures_line, model_of, text_options, write_text

_MODELS, _DATA, _OPTIMIZERS = ("mlp", "lenet", "cnn"), ("digits", "mnist", "fashion-mnist"), ("sgd", "adam", "adamw")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tinynet")
def tinynet() -> None:
    """A deep-learning engine from scratch. Add --debug to any command for a traceback."""


@tinynet.command()
@click.argument("model", type=click.Choice([*_MODELS, *_TEXT_MODELS]))
@click.option("--data", type=click.Choice([*_DATA, *_TEXT_DATA]), help="What to train on.  [default: digits, topics]")
@click.option("--batch-size", type=click.IntRange(1), help="Samples a step.  [default: 32]")
@click.option("--lr", type=float, help="The (highest) learning rate.  [default: sgd 0.05, else about 0.002]")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data.  [default: 40 for digits, else 12]")
@click.option("--seed", type=int, help="Of parameters and order.  [default: 0]")
@click.option("--threads", type=click.IntRange(1), help="Of the kernels; results do not depend on it.")
@click.option("--out", type=click.Path(), help="The run's folder.  [default: runs/MODEL-DATA-seedN, numbered]")
@click.option("--resume", type=click.Path(), metavar="RUN", help="Go on with the run in this folder.")
@click.option("--data-dir", type=click.Path(), help="Images: a folder with the IDX files of mnist or fashion-mnist.")
@click.option("--optimizer", type=click.Choice(_OPTIMIZERS), help="Images: how to descend.  [default: sgd]")
@text_options
def train(model: str, out: str | None, resume: str | None, **options: Any) -> int:
    """Train MODEL; everything that comes of it goes into a run folder.

    \b
    Images, on handwritten digits:     mlp lenet cnn
    Text, predicting what comes next:  char-rnn char-lstm char-gru gpt nnlm ngram
    Lines of text:                     translate classify

    \b
    tinynet train lenet
    tinynet train gpt --file plays.txt --steps 5000
    tinynet train translate --source train.de --target train.en
    tinynet train classify --file label-tab-text.tsv
    """
    from .. import set_strict
    from ..training import Interrupted

    set_strict(True)
    given = {name: value for name, value in options.items() if value is not None}
    start = _train_text if model in _TEXT_MODELS else _train_images
    config, folder, run, report = start(model, given, out, resume)
    click.echo(f"{config.model} on {config.data}, seed {config.seed}: {folder}", err=True)
    try:
        result = run()
    except (Interrupted, KeyboardInterrupt):
        if not (folder / "last.safetensors").exists():
            raise
        click.echo(f"interrupted and saved; go on with: tinynet train {config.model} --resume {folder}", err=True)
        return 130
    return report(result)


def _train_images(model: str, given: dict[str, Any], out: str | None, resume: str | None) -> tuple[Any, ...]:
    from ..training import Config, read_config
    from ..training import train as run

    other = [name for name in given if name not in {f.name for f in dataclasses.fields(Config)}]
    if other:
        raise click.UsageError(f"{model} has no --{other[0].replace('_', '-')}")
    config, folder = _place(Config, read_config, model, given, out, resume)

    def report(result: Any) -> int:
        if result.trained == 0:
            click.echo(f"the run was finished already: all {config.epochs} epochs are done", err=True)
        if _diverged(result.history):
            return 1
        best = result.best
        click.echo(
            f"test accuracy {best.accuracy:.2%} (loss {best.loss:.4f}) at epoch {result.best_epoch}; "
            f"last epoch {result.history[-1]['test_accuracy']:.2%}; run in {folder}"
        )
        return 0

    return config, folder, lambda: run(config, folder, resume=resume is not None), report


def _train_text(model: str, given: dict[str, Any], out: str | None, resume: str | None) -> tuple[Any, ...]:
    from ..training.text import TextConfig, read_text_config, train_text

    config, folder = _place(TextConfig, read_text_config, model, given, out, resume)

    def note(line: str) -> None:
        click.echo(line, err=True)

    def report(result: Any) -> int:
        if _diverged(result.history):
            return 1
        if result.history and result.trained == 0:
            click.echo(f"the run was finished already: all {result.history[-1]['step']} steps are done", err=True)
        where = f" at step {result.best_step}" if result.history else ""
        click.echo(f"validation {figures_line(result.best)}{where}; run in {folder}")
        return 0

    return config, folder, lambda: train_text(config, folder, resume=resume is not None, note=note), report


def _diverged(history: list[dict[str, Any]]) -> bool:
    if all(math.isfinite(row["train_loss"]) for row in history):
        return False
    click.echo("tinynet: error: the training diverged (its loss is not finite); take a smaller --lr", err=True)
    return True


def _place(
    kind: Any, read: Any, model: str, given: dict[str, Any], out: str | None, resume: str | None
) -> tuple[Any, Path]:
    """Configuration and folder of a new run, or of one that is resumed."""
    if resume is None:
        config = kind(model=model, **given)
        return config, Path(out) if out is not None else _new_folder(config)
    return _resumed(read(resume), model, given, out), Path(resume)


def _resumed(config: Any, model: str, given: dict[str, Any], out: str | None) -> Any:
    """The run's own configuration; only `threads` may change, since everything else would change the result."""
    if out is not None:
        raise click.UsageError("--resume goes on in the run's own folder; leave --out away")
    for name, value in {"model": model, **given}.items():
        if name != "threads" and getattr(config, name) != value:
            option = name.replace("_", "-")
            raise click.UsageError(f"--resume: the run has {option} {getattr(config, name)!r}, not {value!r}")
    return dataclasses.replace(config, threads=given.get("threads", config.threads))


def _new_folder(config: Any) -> Path:
    """runs/MODEL-DATA-seedN, with a number where that exists."""
    base = Path("runs") / f"{config.model}-{config.data}-seed{config.seed}"
    folder, number = base, 2
    while folder.exists():
        folder, number = base.with_name(f"{base.name}-{number}"), number + 1
    return folder


@tinynet.command("eval")
@click.argument("run", type=click.Path())
@click.option("--beams", type=click.IntRange(1), default=1, help="Translations: how many hypotheses to follow.")
def evaluate(run: str, beams: int) -> None:
    """Evaluate the best checkpoint of RUN, a folder, on the test (or validation) part of its data."""
    if model_of(run) in _TEXT_MODELS:
        evaluate_text(run, beams)
        return
    from ..training import evaluate_run

    config, epoch, result = evaluate_run(run)
    click.echo(f"{config.model} on {config.data}, epoch {epoch}: {result.count} test samples")
    click.echo(f"accuracy {result.accuracy:.2%}, loss {result.loss:.4f}")
    for label, recall in enumerate(result.recall()):
        click.echo(f"  class {label}: {recall:7.2%} of {int(result.confusion[label].sum())}")


@tinynet.command("generate")
@click.argument("run", type=click.Path())
@click.option("--prompt", help="What to go on from, translate or classify.  [default: a line break]")
@click.option(
    "--max-tokens", type=click.IntRange(0), default=500, show_default=True, help="At most so many new tokens."
)
@click.option("--temperature", type=float, help="Below 1: likelier texts; above: stranger ones.  [default: 1]")
@click.option("--top-k", type=click.IntRange(1), help="Draw from the k likeliest tokens.")
@click.option("--top-p", type=float, help="Draw from the likeliest tokens that have this probability together.")
@click.option("--greedy", is_flag=True, help="Take the likeliest token.")
@click.option("--beams", type=click.IntRange(1), default=1, show_default=True, help="Search with so many hypotheses.")
@click.option("--stop", metavar="TEXT", help="End where this text comes.")
@click.option("--seed", type=int, help="Of the draws; without it, other ones each time.")
@click.option("--threads", type=click.IntRange(1), help="Of the kernels.")
def generate_command(run: str, **options: Any) -> None:
    """Write text with the best model of RUN, a folder; a translation model translates, a classifier tells the class."""
    write_text(run, **options)


@tinynet.command()
@click.argument("function", nargs=-1, metavar="[MODULE:FUNCTION]")
@click.option("--shapes", metavar="SHAPE [SHAPE ...]", help="One per argument: 3,4 4,5 (and '()' for one number).")
@click.option("--vjp", metavar="MODULE:FUNCTION", help="The reverse rule of a NumPy function: vjp(*args, dy).")
@click.option("--engine", type=click.Choice(["tinynet", "torch", "jax", "autograd"]), help="Whose tensors it takes.")
@click.option("--order", type=click.IntRange(1), default=1, help="Derivatives to this order.  [default: 1]")
@click.option("--dtype", type=click.Choice(["float64", "float32", "float16"]), default="float64")
@click.option("--low", type=float, default=-2.0, help="The arguments' lower bound.  [default: -2]")
@click.option("--high", type=float, default=2.0, help="The arguments' upper bound.  [default: 2]")
@click.option(
    "--oracle", type=click.Choice(["auto", "complex-step", "richardson", "forward", "taylor"]), default="auto"
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of arguments, cotangents and directions.")
@click.option("--png", type=click.Path(path_type=Path), help="Draw both Jacobians into this file.")
@click.option("--all", "every", is_flag=True, help="Check tinynet's own operations (in a checkout).")
@click.option("--checks", type=click.IntRange(1), help="With --all: how many checks in all.  [default: 1000]")
@click.option("--only", metavar="TEXT", help="With --all: the operations whose names contain this.")
def check(function: tuple[str, ...], every: bool, checks: int | None, only: str | None, **options: Any) -> int:
    """Check a gradient against numerical derivatives.

    \b
    tinynet check mymodule:softplus --vjp mymodule:softplus_vjp --shapes 3,4
    tinynet check torch:matmul --shapes 3,4 4,5
    tinynet check --all
    """
    from . import check as checking

    if every:
        return _check_all(checking, function, checks, only, options["seed"])
    if checks is not None or only is not None:
        raise click.UsageError("--checks and --only go with --all")
    targets = [text for text in function if ":" in text]
    first, shapes = options.pop("shapes"), [text for text in function if ":" not in text]
    if len(targets) != 1:
        raise click.UsageError(f"got {len(targets)} functions, expected one as module:function (or --all)")
    if first is None:
        raise click.UsageError("--shapes is missing: one shape per argument, such as --shapes 3,4 4,5")
    target = checking.loaded(targets[0], "MODULE:FUNCTION")
    bounds = {name: options.pop(name) for name in ("dtype", "low", "high")}
    args = checking.arguments([first, *shapes], **bounds, seed=options["seed"])
    report = checking.check_one(target, args, **options)
    click.echo(str(report))
    return {"pass": 0, "fail": 1, "unresolved": 3}[report.verdict]


def _check_all(checking: Any, function: tuple[str, ...], checks: int | None, only: str | None, seed: int) -> int:
    if function:
        raise click.UsageError(f"--all checks tinynet's own operations; leave {' '.join(function)} away")
    sweep = checking.records_of_checkout()
    if sweep is None:
        raise click.UsageError("--all needs the records of a checkout of tinynet, which an installed package has not")
    result = sweep.sweep(checks or 1000, seed=seed, only=only, line=click.echo)
    return 0 if result.failed == 0 else 1


@tinynet.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[FAMILY ...] [OPTIONS]")
def bench(arguments: tuple[str, ...]) -> int:
    """Time tinynet beside PyTorch (in a checkout): what `python -m benchmarks` does, with its options (--help)."""
    from .bench import run

    return run(arguments)


@tinynet.command()
def warmup() -> None:
    """Compile the kernels of the usual networks now, so that no first run has to."""
    import time

    from tqdm import tqdm

    from .info import cache
    from .warmup import steps

    start = time.perf_counter()
    with tqdm(steps(), unit="step", disable=None) as bar:
        for name, step in bar:
            bar.set_description(name)
            step()
    click.echo(f"kernels are ready after {time.perf_counter() - start:.1f} s, in {cache()}")


@tinynet.command()
def info() -> None:
    """Versions, processor, threads, BLAS and kernel cache."""
    from .info import lines

    for line in lines():
        click.echo(line)
