"""What happened that a background job waits for; sent after the commit. `activations.tasks` listens."""

from django.dispatch import Signal

something_to_send = Signal()  # pk of the mail in the outbox
mail_to_read = Signal()  # pk of the mail that was kept
