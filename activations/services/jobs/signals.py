"""That a job waits; sent after the commit. `activations.tasks` listens."""

from django.dispatch import Signal

job_waits = Signal()  # pk of the job
