"""Hypothesis profiles: `default` is derandomised and short; `thorough` runs long, and draws anew each time;
`unshrunk` is the default without the search for a smallest failing example.

HYPOTHESIS_PROFILE=thorough, or pytest's own --hypothesis-profile=thorough, selects one. Tests say how many examples they
need by `tests.examples.examples(n)`, of the default profile; thorough has ten times as many.
"""

import os

from hypothesis import HealthCheck, Phase, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # kernels compile within the first examples

pytest_plugins = ["pytester"]  # the tests of our own plugin run pytest

settings.register_profile(
    "default", max_examples=6, derandomize=True, database=None, deadline=None, suppress_health_check=SLOW
)
settings.register_profile("thorough", max_examples=100, deadline=None, suppress_health_check=SLOW)
settings.register_profile("unshrunk", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
