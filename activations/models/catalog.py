"""What is sold: products and their features."""

from django.db import models


class Billing(models.TextChoices):
    ONE_TIME = "one-time", "one-time"
    METERED = "metered", "metered"
    YEARLY = "yearly", "yearly"


class Product(models.Model):
    code = models.SlugField(max_length=60)
    name = models.CharField(max_length=200)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["code"], name="product_code_once")]

    def __str__(self) -> str:
        return self.name


class Feature(models.Model):
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="features")
    code = models.SlugField(max_length=60)
    name = models.CharField(max_length=200)
    billing = models.CharField(max_length=10, choices=Billing.choices)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["product", "code"], name="feature_code_once")]

    def __str__(self) -> str:
        return self.name
