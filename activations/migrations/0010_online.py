"""Whether a license may be activated online.

SQLite would build the table of the licenses anew under its old name, which drops its triggers and fails while those of
other tables read it. A column with a default is added in place instead, as PostgreSQL does it, and nothing is dropped.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class AddColumn(migrations.AddField):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            BaseDatabaseSchemaEditor.add_field(schema_editor, model, model._meta.get_field(self.name))


class Migration(migrations.Migration):
    dependencies = [("activations", "0009_statements")]

    operations = [
        AddColumn(
            model_name="license",
            name="online",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Connected hosts get their Usage License over the internet, where no person has to decide.",
                verbose_name="online activation allowed",
            ),
        ),
    ]
