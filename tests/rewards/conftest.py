"""Properties are tested without a clock: machines that are busy are no fault of the code."""

from hypothesis import settings

settings.register_profile("no-clock", deadline=None)
settings.load_profile("no-clock")
