"""Formulas as SVG, drawn by matplotlib while the pages are built: the pages then need neither LaTeX nor the network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

MACROS = {r"\top": r"\mathsf{T}"}
BLOCK_MACROS = {r"\frac": r"\dfrac"}  # room for full-size fractions


def draw(self: Any, node: nodes.Element, size: int, macros: dict[str, str]) -> tuple[str, float]:
    """Write the formula's picture; its address, and how many points it goes below the line."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    text = " ".join(node.astext().split())
    for macro, drawn in macros.items():
        text = text.replace(macro, drawn)
    name = f"math/{hashlib.sha256(f'{size} {text}'.encode()).hexdigest()[:16]}.svg"
    path = Path(self.builder.outdir, self.builder.imagedir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    font = FontProperties(family="serif", size=size, math_fontfamily="cm")
    depth = math_to_image(f"${text}$", path, prop=font, dpi=72, format="svg")
    return f"{self.builder.imgpath}/{name}", depth


def visit_math(self: Any, node: nodes.math) -> None:
    address, depth = draw(self, node, 11, MACROS)
    text = self.attval(node.astext())
    self.body.append(f'<img class="math" src="{address}" alt="{text}" style="vertical-align: {-depth:.1f}pt"/>')
    raise nodes.SkipNode


def visit_math_block(self: Any, node: nodes.math_block) -> None:
    address, _ = draw(self, node, 13, {**MACROS, **BLOCK_MACROS})
    self.body.append(f'<p><img class="math" src="{address}" alt="{self.attval(node.astext())}"/></p>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathtext", (visit_math, None), (visit_math_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
