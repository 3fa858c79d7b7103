"""The Celery app. Without REDIS_URL tasks run in the calling process: see CELERY_TASK_ALWAYS_EAGER."""

import os

from celery import Celery

from licensing_portal import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")

broker.use()
app = Celery("licensing_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
