"""The staff trail, with the rows beside the entries that the ledger has already; and what was erased of kept texts."""

import json

from django.db import migrations, models

from activations.models import triggers

BOOKED = (
    "staff.created",
    "staff.disabled",
    "staff.enabled",
    "license.key_shown",
    "license.key_replaced",
    "ledger.exported",
    "list.exported",
    "list.imported",
    "reply_text.changed",
    "automatic_answer.changed",
    "mail.taken",
    "signing_key.created",
    "signing_key.retired",
)
SUBJECTS = ("username", "list", "kind", "outcome", "serial", "pseudonym")


def tell_what_was_booked(apps, schema_editor):
    """From which address those came is not known any more."""
    alias = schema_editor.connection.alias
    entries = apps.get_model("activations", "LedgerEntry").objects.using(alias)
    rows = apps.get_model("activations", "StaffEvent").objects.using(alias)
    part = []
    for entry in entries.filter(kind__in=BOOKED).order_by("id").iterator(2000):
        data = json.loads(entry.body)["data"]
        named = next((str(data[name]) for name in SUBJECTS if data.get(name)), "ledger")
        subject = named if entry.chain == "portal" else entry.chain
        part.append(
            rows.model(
                at=entry.at,
                actor=entry.actor,
                kind=entry.kind,
                subject=subject[:200],
                details=data,
                chain=entry.chain,
                seq=entry.seq,
            )
        )
        if len(part) == 1000:
            rows.bulk_create(part)
            part = []
    rows.bulk_create(part)


def uninstall(apps, schema_editor):
    """Dropping a table leaves the functions of its triggers behind; `post_migrate` puts back what is still needed."""
    triggers.uninstall(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('activations', '0006_ledger_tiles'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='license',
            options={'ordering': ['-created_at', '-id'], 'permissions': [('issue_usage_license', 'issue usage license'), ('deactivate_activation', 'deactivate activation'), ('mark_lost', 'mark lost'), ('request_restoration', 'request restoration'), ('decide_restoration', 'decide restoration'), ('decide_as_lead', 'decide as lead'), ('create_license', 'create license'), ('change_license_terms', 'change license terms'), ('show_license_key', 'show license key'), ('edit_replies', 'edit replies'), ('read_ledger', 'read ledger'), ('read_staff_trail', 'read staff trail'), ('checkpoint_ledger', 'checkpoint ledger'), ('manage_signing_keys', 'manage signing keys'), ('manage_staff', 'manage staff')]},
        ),
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('of_table', models.CharField(help_text="The model's name, small letters.", max_length=40)),
                ('of_row', models.PositiveBigIntegerField()),
                ('of_column', models.CharField(max_length=40)),
                ('digest', models.CharField(blank=True, help_text='HMAC-SHA256 of the text that stood there, so that whoever has it can have it recognised. None of what could be guessed, and of an original, whose own SHA-256 stays.', max_length=64)),
                ('seq', models.PositiveBigIntegerField(verbose_name="entry of the portal's chain")),
            ],
            options={
                'indexes': [models.Index(fields=['seq'], name='erasure_seq')],
                'constraints': [models.UniqueConstraint(fields=('of_table', 'of_row', 'of_column'), name='erased_once')],
            },
        ),
        migrations.CreateModel(
            name='FailedSignIns',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField()),
                ('account', models.CharField(max_length=150)),
                ('address', models.CharField(blank=True, max_length=45)),
                ('tries', models.PositiveIntegerField(default=1)),
            ],
            options={
                'verbose_name_plural': 'failed sign-ins',
                'constraints': [models.UniqueConstraint(fields=('minute', 'account', 'address'), name='failed_sign_ins_once')],
            },
        ),
        migrations.CreateModel(
            name='StaffEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('actor', models.CharField(help_text='An account, command-line, or what stands for unknown names.', max_length=150)),
                ('kind', models.CharField(max_length=40)),
                ('subject', models.CharField(help_text='Whom or what it is about.', max_length=200)),
                ('details', models.JSONField(default=dict, help_text='The particulars; never a secret.')),
                ('address', models.CharField(blank=True, help_text="The client's IP address; none: by command.", max_length=45)),
                ('agent', models.CharField(blank=True, help_text='As it calls itself, shortened.', max_length=120, verbose_name='browser')),
                ('chain', models.CharField(blank=True, max_length=32)),
                ('seq', models.PositiveBigIntegerField(null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['actor', 'at'], name='staff_event_actor'), models.Index(fields=['kind', 'at'], name='staff_event_kind'), models.Index(fields=['at'], name='staff_event_at')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('seq__isnull', False)), fields=('chain', 'seq'), name='staff_event_once_per_entry'), models.CheckConstraint(condition=models.Q(models.Q(('chain', ''), ('seq__isnull', True)), models.Q(models.Q(('chain', ''), _negated=True), ('seq__gte', 1)), _connector='OR'), name='staff_event_names_whole_entry')],
            },
        ),
        migrations.RunPython(tell_what_was_booked, uninstall),
    ]
