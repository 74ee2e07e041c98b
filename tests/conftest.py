"""What is the same for every test, on whatever machine and from whatever shell it runs."""

import os

from hypothesis import HealthCheck, settings

# The same examples in every run, however slow it is; `--hypothesis-profile=default` finds new ones.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "NO_COLOR", "PY_COLORS"):  # they colour what is said
    os.environ.pop(name, None)
os.environ["COLUMNS"] = "80"  # a narrower terminal breaks the lines of it
