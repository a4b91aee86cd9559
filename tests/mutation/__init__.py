"""Do the tests of gradients find a wrong gradient? Every rule is made wrong on purpose, and the checks have to see it."""
