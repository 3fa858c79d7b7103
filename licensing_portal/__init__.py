"""The Django project: settings, URLs and the Celery app. What the portal does lives in `activations`."""

# Django starts by importing this package, so `shared_task` finds the app in web processes and commands too.
from licensing_portal.celery import app as celery_app

__all__ = ["celery_app"]
