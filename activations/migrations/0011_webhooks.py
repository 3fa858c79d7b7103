from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("activations", "0010_online")]
    operations = []
