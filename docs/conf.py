"""Sphinx configuration: `sphinx-build -W -b html docs docs/_build/html`. Nothing here needs the network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import tinynet

project = "tinynet"
author = "the tinynet authors"
release = version = tinynet.__version__

extensions = ["myst_parser", "mathtext", "names"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

exclude_patterns = ["_build"]
html_math_renderer = "mathtext"
html_theme = "alabaster"
html_theme_options = {
    "description": "A deep-learning engine from scratch, with PyTorch's names",
    "page_width": "1040px",
    "sidebar_width": "230px",
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
