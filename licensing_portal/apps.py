from django.apps import AppConfig


class LicensingPortalConfig(AppConfig):
    name = "licensing_portal"
    verbose_name = "Licensing portal"

    def ready(self) -> None:
        # Importing the module registers its checks.
        from licensing_portal import checks  # noqa: F401
