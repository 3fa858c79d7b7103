"""Marks of the entries that no checkpoint covers yet; those there are get theirs when the triggers are put in place."""

from django.db import migrations, models

from activations.models import triggers


def uninstall(apps, schema_editor):
    """Dropping a table leaves the functions of its triggers behind; `post_migrate` puts back what is still needed."""
    triggers.uninstall(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("activations", "0012_api")]

    operations = [
        migrations.CreateModel(
            name="LedgerUncovered",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "verbose_name_plural": "marks of uncovered entries",
                "ordering": ["id"],
                "constraints": [models.UniqueConstraint(fields=("hash",), name="ledger_uncovered_once")],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, uninstall),
    ]
