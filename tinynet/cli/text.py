"""What the commands do on text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

TEXT_MODELS = ("char-rnn", "char-lstm", "char-gru", "gpt", "nnlm", "ngram", "translate", "classify")
TEXT_DATA = ("topics", "text", "labelled", "pairs")

Command = TypeVar("Command", bound=Callable[..., Any])

_WHOLE = click.IntRange(1)
_FILES = {
    "file": "a text file (UTF-8, or gzip of it); to classify: label TAB text in each line.",
    "source": "sentences to translate, one a line.",
    "target": "their translations.",
    "val_source": "validate on these sentences.  [default: the last 5 %]",
    "val_target": "and their translations.",
    "val_file": "validate on these labelled lines.  [default: 5 %]",
}
_NUMBERS: dict[str, tuple[Any, str]] = {
    "steps": (_WHOLE, "steps to train.  [default: 2000]"),
    "context": (_WHOLE, "tokens of a window.  [default: 64; gpt 128]"),
    "order": (_WHOLE, "tokens of an n-gram.  [default: 6]"),
    "embedding": (_WHOLE, "features of a token."),
    "hidden": (_WHOLE, "units of a layer; of Transformers the features of a position."),
    "layers": (_WHOLE, "how many layers."),
    "heads": (_WHOLE, "of attention."),
    "feedforward": (_WHOLE, "units between the affine layers of a Transformer's block."),
    "dropout": (float, "the probability of a zero."),
    "label_smoothing": (float, "what wrong tokens get of the target's probability."),
    "weight_decay": (float, "of AdamW."),
    "clip": (float, "the greatest norm of the gradients."),
    "every": (_WHOLE, "steps between evaluations."),
    "vocabulary": (_WHOLE, "the most tokens that there may be (bpe: 1024)."),
    "minimum": (_WHOLE, "leave out words that come less often."),
    "longest": (_WHOLE, "leave out lines of more tokens."),
}
_FLAGS = {
    "lower": "words in lower case.",
    "tied": "the table of tokens serves for the output, too.",
    "direct": "nnlm: from the vectors to the output directly, too.",
}
_CHOICES = {
    "tokenizer": (("char", "word", "bpe"), "what a token is."),
    "cell": (("rnn", "lstm", "gru"), "classify: the layer that reads."),
    "pool": (("last", "attention", "mean"), "classify: how its outputs become one vector."),
}


def text_options(command: Command) -> Command:
    """The options of models on text; each is None unless it is given."""
    options = [
        click.option(_name(n), type=click.Path(resolve_path=True), help=f"Text: {text}") for n, text in _FILES.items()
    ]
    options += [
        click.option(_name(n), type=click.Choice(choices), help=f"Text: {text}")
        for n, (choices, text) in _CHOICES.items()
    ]
    options += [click.option(_name(n), type=kind, help=f"Text: {text}") for n, (kind, text) in _NUMBERS.items()]
    options += [click.option(f"{_name(n)}/--no-{n}", default=None, help=f"Text: {text}") for n, text in _FLAGS.items()]
    for option in reversed(options):
        command = option(command)
    return command


def _name(name: str) -> str:
    return "--" + name.replace("_", "-")


def model_of(run: str) -> str:
    """Which model a run's folder holds."""
    from ..training.run_folder import read_content

    return str(read_content(run).get("model"))


def figures_line(figures: dict[str, float]) -> str:
    """Loss, perplexity, bits per character (and the perplexity of a character), accuracy, BLEU: those that there are."""
    shown = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in figures.items()]
    if "bits_per_character" in figures:
        shown.append(f"perplexity per character {2 ** figures['bits_per_character']:.4f}")
    return ", ".join(shown)


def evaluate_text(run: str, beams: int) -> None:
    """`tinynet eval` of a run on text."""
    from ..training.text import evaluate_text_run

    found, figures = evaluate_text_run(run, beams=beams, note=lambda line: click.echo(line, err=True))
    where = f", step {found.step}" if found.step else ""
    click.echo(f"{found.config.model} on {found.config.data}{where}: validation part")
    click.echo(figures_line(figures))


def write_text(
    run: str,
    prompt: str | None,
    max_tokens: int,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    greedy: bool,
    beams: int,
    stop: str | None,
    seed: int | None,
    threads: int | None,
) -> None:
    """`tinynet generate`."""
    from ..threads import set_num_threads
    from ..training.text import load_text_run
    from ..training.text.classification import classify
    from ..training.text.translation import translate

    if model_of(run) not in TEXT_MODELS:
        raise click.UsageError(f"{run} holds a {model_of(run)}, which writes no text")
    if threads is not None:
        set_num_threads(threads)
    found = load_text_run(run)
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed, "stop": stop}
    kind = found.config.model
    if kind in ("translate", "classify"):
        wrong = [name for name, value in sampling.items() if value is not None]
        if prompt is None or wrong:
            raise click.UsageError(
                f"--prompt is missing: what to {kind}" if prompt is None else f"--{wrong[0]} does not go with {kind}"
            )
        if kind == "translate":
            source, target = found.tokenizers
            (ids,) = translate(found.model, (source, target), [prompt], beams, found.config.longest or 100)  # type: ignore[arg-type]
            click.echo(target.decode(ids))
        else:
            for label, probability in classify(found.model.eval(), found.tokenizers[0], found.labels, prompt):
                click.echo(f"{probability:7.2%}  {label}")
        return
    text = "\n" if prompt is None else prompt
    if not text:
        raise click.UsageError("--prompt is empty; a model needs something to go on from")
    ids = found.tokenizers[0].encode(text)
    if prompt is not None:
        sys.stdout.write(prompt)
    if beams > 1:
        from ..models import beam_search

        wrong = [name for name, value in sampling.items() if value is not None]
        if wrong or greedy:
            raise click.UsageError(f"--{wrong[0] if wrong else 'greedy'} does not go with --beams")
        best = beam_search(found.model, ids, max_tokens, beams=beams)[0]
        sys.stdout.write(found.tokenizers[0].decode(best.ids) + "\n")
        return
    from ..models import generate

    options: dict[str, Any] = {name: v for name, v in sampling.items() if v is not None and name != "stop"}
    tokens = generate(found.model, ids, max_tokens, greedy=greedy, overflow="slide", **options)
    for piece in _until(found.tokenizers[0].pieces(tokens), stop):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _until(pieces: Iterator[str], stop: str | None) -> Iterator[str]:
    """The pieces before the text `stop`; what could be its beginning is held back until it is clear."""
    if not stop:
        yield from pieces
        return
    held = ""
    for piece in pieces:
        held += piece
        if stop in held:
            yield held[: held.index(stop)]
            return
        keep = next((k for k in range(min(len(stop) - 1, len(held)), 0, -1) if stop.startswith(held[-k:])), 0)
        yield held[: len(held) - keep]
        held = held[len(held) - keep :]
    yield held
