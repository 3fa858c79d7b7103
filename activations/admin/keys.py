"""Signing keys, to read; made and rotated with `manage.py signing_key`. Private parts are on no page."""

from __future__ import annotations

import ssl

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.admin.base import ReadOnlyAdmin, when
from activations.domain.words import Ability
from activations.models import SigningKey


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    nav_name = "Signing keys"
    readers = (Ability.MANAGE_KEYS, Ability.READ_LEDGER)
    list_display = ["name", "purpose", "serial", "current", "until", "made", "retired"]
    list_filter = ["purpose", "current"]
    date_hierarchy = "created_at"
    export_columns = {
        "name": "name",
        "purpose": "purpose",
        "serial": "serial",
        "current": "current",
        "valid until": "not_after",
        "made": "created_at",
        "retired": "retired_at",
    }
    empty_words = "An administrator makes the first keys with `manage.py signing_key create-root`, then `issue`."
    fields = ["name", "purpose", "serial", "current", "until", "made", "retired", "certificate_pem"]

    @admin.display(description="valid until", ordering="not_after")
    def until(self, row: SigningKey) -> str:
        return when(row.not_after)

    @admin.display(description="made", ordering="created_at")
    def made(self, row: SigningKey) -> str:
        return when(row.created_at)

    @admin.display(description="retired", ordering="retired_at")
    def retired(self, row: SigningKey) -> str:
        return when(row.retired_at)

    @admin.display(description="certificate (public)")
    def certificate_pem(self, row: SigningKey) -> SafeString:
        return format_html('<pre class="block" tabindex="0">{}</pre>', ssl.DER_cert_to_PEM_cert(bytes(row.certificate)))
