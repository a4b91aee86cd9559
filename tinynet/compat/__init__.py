"""What exists for PyTorch programs alone: old names, switches that do nothing here, PyTorch's file format.

The package's table of names and `load` import from here, on use; the rest of tinynet does not. The folder `modules` is on
the package's path, so `import tinynet.distributions` finds `modules/distributions`.
"""
