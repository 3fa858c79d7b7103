"""The portal's settings, with a mailbox that is fetched every other second: no test waits for a minute's beat."""

from __future__ import annotations

from licensing_portal import settings as real

globals().update({name: getattr(real, name) for name in dir(real) if name.isupper()})
real.CELERY_BEAT_SCHEDULE["fetch-mail"]["schedule"] = 2.0
