"""temporary"""
def available(dtype): return False
def kernels_for(*a): raise TypeError
