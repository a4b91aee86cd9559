"""`python -m tinynet`."""

from .cli import main

main()
