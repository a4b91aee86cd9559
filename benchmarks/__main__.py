"""`python -m benchmarks [FAMILY ...]`, `python -m benchmarks compare A.json B.json`, `python -m benchmarks curves`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from . import compare
from .cases import FAMILIES, Case, load
from .engines import ENGINES
from .report import cells, columns, header_lines, line, plot_ratios, summary, write_json
from .runner import Row, Session, Settings, run


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 where a case fails."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["compare"]:
        return _compare(arguments[1:])
    options = _parser().parse_args(arguments)
    families = {}
    for name in options.families or FAMILIES:
        if name not in FAMILIES and name != "curves" and not ("." in name and importlib.util.find_spec(name)):
            _parser().error(
                f"no family {name!r}; there are {', '.join(FAMILIES)}, curves, and modules by their dotted names"
            )
        families[name] = {n: c for n, c in load(name).items() if options.only is None or options.only in n}
    settings = Settings(
        threads=options.threads,
        peers=tuple(options.peers.split(",")),
        lanes=options.lanes,
        quick=options.quick,
        cold=options.cold,
        rounds=max(3, options.rounds),
    )
    rows = measure(settings, families, options.json)
    if options.plot is not None:
        if families.keys() == {"curves"}:
            from .curves import plot

            plot(options.plot, rows)
        else:
            plot_ratios(options.plot, rows)
    return 1 if any(row.error is not None for row in rows) or not rows else 0


def measure(settings: Settings, families: dict[str, dict[str, Case]], json: Path | None) -> list[Row]:
    """Run and print; the JSON file is written after every family, so that an interrupted run leaves what it has."""
    rows: list[Row] = []
    with Session(settings) as session:
        header = session.header()
        peers = [p.name for p in session.peers]
        for family, cases in families.items():
            print(f"\n## {family}\n", *header_lines(header), "", sep="\n")
            titles = columns(peers, settings.cold)
            print(line(titles), line(["---"] * len(titles)), sep="\n", flush=True)
            found = []
            for row in run(session, {family: cases}):
                found.append(row)
                print(line(cells(row, peers, settings.cold)), flush=True)
            print("", *summary(found), sep="\n", flush=True)
            rows += found
            if json is not None:
                write_json(json, header, rows)
    return rows


def _compare(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    for text in compare.compared(options.before, options.after):
        print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"{', '.join(FAMILIES)} (all), or curves")
    parser.add_argument("--only", metavar="TEXT", help="the cases whose names contain this")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", default="tinynet,torch,torch-tuned", help=f"of {','.join(ENGINES)}")
    parser.add_argument("--lanes", type=int, help="the width of tinynet's vector code (TINYNET_VECTOR_LANES)")
    parser.add_argument("--rounds", type=int, default=15, help="blocks timed of each engine")
    parser.add_argument("--quick", action="store_true", help="few cases, short: does it run, not how fast")
    parser.add_argument("--cold", action="store_true", help="compile time with an empty cache, too")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    return parser


if __name__ == "__main__":
    sys.exit(main())
