"""The database's own defences, so that no later migration can rewrite the ledger either.

SQLite is left to `post_migrate`: it changes a table by building it anew under its old name, which fails while other
tables' triggers read it. On both, `post_migrate` keeps the triggers what the installed version says.
"""

from django.db import migrations

from activations.models import triggers


def install(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        triggers.install(schema_editor.connection)


def uninstall(apps, schema_editor):
    triggers.uninstall(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("activations", "0001_initial")]

    operations = [migrations.RunPython(install, uninstall)]
