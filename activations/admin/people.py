"""Customers with their contacts, what is sold, and the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path

from activations.admin import importing
from activations.admin.access import may
from activations.admin.base import ReadOnlyAdmin, TimeFilter, when
from activations.domain.words import Ability
from activations.models import Contact, Customer, Feature, Product
from activations.services.license_rules import bad_contact, bad_customer
from activations.services.results import BadInput

EDITORS = (Ability.CREATE_LICENSE, Ability.CHANGE_LICENSE)

if TYPE_CHECKING:
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _TabularInline = admin.TabularInline


def _accepted(problem: BadInput | None) -> None:
    if problem:
        raise forms.ValidationError(problem.message)


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        _accepted(bad_customer(name))
        return name


class ContactForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        _accepted(bad_contact(name))
        return name

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        _accepted(bad_contact("", email))
        return email


class ContactInline(_TabularInline):
    model = Contact
    form = ContactForm
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, *EDITORS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, *EDITORS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LicensesFilter(admin.SimpleListFilter):
    title = "licenses"
    parameter_name = "has_licenses"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "With licenses"), ("no", "Without a license")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.filter(held__gt=0)
        return queryset.filter(held=0) if self.value() == "no" else queryset


class ContactFilter(admin.SimpleListFilter):
    title = "contact"
    parameter_name = "has_contact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "With a contact"), ("no", "Nobody to mail to")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        if self.value() not in ("yes", "no"):
            return queryset
        there = Exists(Contact.objects.filter(customer=OuterRef("pk")))
        return queryset.filter(there if self.value() == "yes" else ~there)


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """A license manager keeps the contacts. The name is fixed once a license has it: the ledger says it, too."""

    list_display = ["name", "contacts_named", "licenses_held", "created"]
    list_filter = [LicensesFilter, ContactFilter, ("created_at", TimeFilter)]
    date_hierarchy = "created_at"
    export_columns = {
        "customer": "name",
        "contacts": lambda row: "; ".join(str(contact) for contact in row.contacts.all()),
        "licenses": "held",
        "created": "created_at",
    }
    empty_words = "A customer is made with the first license, by hand, or by importing a file."
    import_page = "admin:customer_import"
    importers = (Ability.CREATE_LICENSE,)
    search_fields = ["name", "contacts__name", "contacts__email"]
    search_help_text = "Customer, or a contact's name or email"
    form = CustomerForm
    fields = ["name", "created"]
    inlines = [ContactInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).annotate(held=Count("licenses", distinct=True))
        return found.prefetch_related("contacts")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("import/", view(importing.import_customers_page), name="customer_import"),
            path("import/example.csv", view(importing.customers_example), name="customer_import_example"),
            *super().get_urls(),
        ]

    @admin.display(description="contacts")
    def contacts_named(self, row: Customer) -> str:
        first, *more = [contact.email for contact in row.contacts.all()] or ["-"]
        return f"{first} and {len(more)} more" if more else first

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        has_licenses = obj is not None and obj.licenses.exists()
        return ["name", "created"] if has_licenses else ["created"]

    @admin.display(description="licenses", ordering="held")
    def licenses_held(self, row: Any) -> int:
        return int(row.held)

    @admin.display(description="created", ordering="created_at")
    def created(self, row: Customer) -> str:
        return when(row.created_at)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, *EDITORS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, *EDITORS)


class FeatureInline(_TabularInline):
    model = Feature
    extra = 0
    can_delete = False
    fields = ["code", "name", "billing"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    nav_name = "Products and features"
    list_display = ["name", "code", "features_sold"]
    fields = ["name", "code"]
    export_columns = {
        "product": "code",
        "name": "name",
        "features": lambda row: ", ".join(feature.code for feature in row.features.all()),
    }
    inlines = [FeatureInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("features")

    @admin.display(description="features")
    def features_sold(self, row: Product) -> str:
        return ", ".join(feature.code for feature in row.features.all())


# Django's own pages let whoever edits a user make a superuser; accounts are made by `manage.py create_staff`, booked.
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class StaffAdmin(ReadOnlyAdmin):
    nav_name = "Staff"
    readers = (Ability.MANAGE_STAFF, Ability.READ_LEDGER)
    list_display = ["username", "roles", "is_active", "seen"]
    list_filter = ["groups", "is_active"]
    search_fields = ["username"]
    export_columns = {
        "name": "username",
        "role": lambda row: ", ".join(group.name for group in row.groups.all()),
        "active": "is_active",
        "superuser": "is_superuser",
        "last sign-in": "last_login",
    }
    fields = ["username", "roles", "is_active", "is_superuser", "seen"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="role")
    def roles(self, row: User) -> str:
        return ", ".join(group.name for group in row.groups.all()) or ("superuser" if row.is_superuser else "-")

    @admin.display(description="last sign-in", ordering="last_login")
    def seen(self, row: User) -> str:
        return when(row.last_login)
