"""enable_staff: takes disable_staff back."""

from __future__ import annotations

from activations.management.commands import disable_staff


class Command(disable_staff.Command):
    help = "Enable a staff account that was disabled, in the role it had."
    active = True
