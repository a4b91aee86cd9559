"""The command line: `tinynet train | eval | check | bench | warmup | info`."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command. Errors are one line and exit code 2; `--debug` shows the traceback. Ctrl-C exits with 130."""
    from .commands import tinynet

    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if not [a for a in arguments if a != "--debug"]:
        arguments = ["--help"]
    try:
        code = tinynet.main([a for a in arguments if a != "--debug"], prog_name="tinynet", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        if debug:
            traceback.print_exc()
        hint = f" (see 'tinynet{_command(error)} --help')" if isinstance(error, click.UsageError) else ""
        click.echo(f"tinynet: error: {_line(error.format_message())}{hint}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("tinynet: interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        click.echo(f"tinynet: error: {_line(str(error)) or type(error).__name__}", err=True)
        sys.exit(2)


def _line(text: str) -> str:
    return " ".join(text.split())


def _command(error: click.UsageError) -> str:
    name = error.ctx.command.name if error.ctx is not None else None
    return f" {name}" if name and name != "tinynet" else ""
