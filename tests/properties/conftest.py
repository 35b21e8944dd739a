"""Examples are few and the same in every run; LOWLABEL_EXAMPLES tries more."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "lowlabel",
    max_examples=int(os.environ.get("LOWLABEL_EXAMPLES", "15")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("lowlabel")
