"""Puts our site in the place of Django's own: `INSTALLED_APPS` names this config instead of `django.contrib.admin`."""

from importlib import import_module

from django.contrib.admin.apps import AdminConfig

PAGES = (
    "activations",
    "api_tokens",
    "conversations",
    "keys",
    "ledger",
    "licenses",
    "outbox",
    "people",
    "reply_texts",
    "requests",
    "restorations",
    "staff_trail",
    "webhook_deliveries",
    "webhooks",
)


class PortalAdminConfig(AdminConfig):
    default_site = "activations.admin.site.PortalSite"

    def ready(self) -> None:
        super().ready()
        # Importing a page registers it. Not done in the package's __init__: Django imports that before the models.
        for page in PAGES:
            import_module(f"activations.admin.{page}")
