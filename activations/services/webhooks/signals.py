"""That an event waits for a receiver; sent after the commit. `activations.tasks` listens."""

from django.dispatch import Signal

event_waits = Signal()  # pk of the endpoint
