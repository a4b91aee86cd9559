"""`python -m tinynet.cli`."""

from . import main

main()
