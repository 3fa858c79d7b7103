from contextlib import nullcontext
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class ActivationsConfig(AppConfig):
    name = "activations"
    verbose_name = "Offline licensing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing the modules registers their checks, jobs and signals; without the jobs a web process would not
        # hear of mails.
        from activations import checks, tasks  # noqa: F401
        from activations.services import staff_signals  # noqa: F401

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
    from activations.models import License, StaffEvent, first_rows, triggers
    from activations.services.staff_trail import told_elsewhere

    connection = connections[using]
    triggers.install(connection)
    tables = connection.introspection.table_names()
    if License._meta.db_table in tables:
        # Some migrations back there is no staff trail that could tell what the roles were given.
        with nullcontext() if StaffEvent._meta.db_table in tables else told_elsewhere():
            first_rows.ensure(sender, using=using)
