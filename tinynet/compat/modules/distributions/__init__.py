"""PyTorch's `distributions`: laws with sample, log_prob, entropy, moments, and the Kullback–Leibler divergence."""

import sys

from . import constraints as constraints
from . import continuous, discrete
from . import kl as kl
from .base import Distribution, Independent
from .continuous import Beta, Cauchy, Dirichlet, Exponential, Gamma, Laplace, LogNormal, Normal, Uniform
from .discrete import Bernoulli, Categorical, Geometric, OneHotCategorical, Poisson
from .kl import kl_divergence, register_kl
from .multivariate_normal import MultivariateNormal

for _home, _names in (  # where PyTorch has them: `from tinynet.distributions.normal import Normal`
    (continuous, ("beta", "cauchy", "dirichlet", "exponential", "gamma", "laplace", "log_normal", "normal", "uniform")),
    (discrete, ("bernoulli", "categorical", "geometric", "one_hot_categorical", "poisson")),
    (sys.modules[Distribution.__module__], ("distribution", "independent")),
):
    for _name in _names:
        globals()[_name] = sys.modules[f"{__name__}.{_name}"] = _home

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "Cauchy",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Gamma",
    "Geometric",
    "Independent",
    "Laplace",
    "LogNormal",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "Poisson",
    "Uniform",
    "kl_divergence",
    "register_kl",
]
