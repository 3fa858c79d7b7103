from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class ActivationsConfig(AppConfig):
    name = "activations"
    verbose_name = "Offline licensing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing the modules registers their checks and jobs; without the jobs a web process would not hear of mails.
        from activations import checks, tasks  # noqa: F401

        pre_migrate.connect(_make_way, sender=self)
        post_migrate.connect(_complete, sender=self)


def _make_way(sender: AppConfig, *, using: str, plan: list[tuple[Any, bool]], **kwargs: Any) -> None:
    """SQLite changes a table by building it anew under its old name, which fails while other tables' triggers read it.

    Should the migration then fail, the triggers are missing until a migrate succeeds; the system check says so.
    """
    from activations.models import triggers

    connection = connections[using]
    concerned = any(migration.app_label == sender.label for migration, _ in plan)
    if connection.vendor == "sqlite" and concerned:
        triggers.uninstall(connection)


def _complete(sender: AppConfig, *, using: str, **kwargs: Any) -> None:
    """What every portal's database has besides its tables; runs after each migrate and changes only what is missing."""
    from activations.models import License, first_rows, triggers

    connection = connections[using]
    triggers.install(connection)
    if License._meta.db_table in connection.introspection.table_names():
        first_rows.ensure(sender, using=using)
