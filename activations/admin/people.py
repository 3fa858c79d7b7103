"""Customers with their contacts, what is sold, and the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Count
from django.http import HttpRequest

from activations.admin.access import may
from activations.admin.base import ReadOnlyAdmin, when
from activations.domain.words import Ability
from activations.models import Contact, Customer, Feature, Product

EDITORS = (Ability.CREATE_LICENSE, Ability.CHANGE_LICENSE)

if TYPE_CHECKING:
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _TabularInline = admin.TabularInline


class ContactInline(_TabularInline):
    model = Contact
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


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """A license manager keeps the contacts. The name is fixed once a license has it: the ledger says it, too."""

    list_display = ["name", "licenses_held", "created"]
    search_fields = ["name", "contacts__name", "contacts__email"]
    search_help_text = "Customer, or a contact's name or email"
    fields = ["name", "created"]
    inlines = [ContactInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(held=Count("licenses", distinct=True))

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
    list_display = ["name", "code"]
    fields = ["name", "code"]
    inlines = [FeatureInline]


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
    fields = ["username", "roles", "is_active", "is_superuser", "seen"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="role")
    def roles(self, row: User) -> str:
        return ", ".join(group.name for group in row.groups.all()) or ("superuser" if row.is_superuser else "-")

    @admin.display(description="last sign-in", ordering="last_login")
    def seen(self, row: User) -> str:
        return when(row.last_login)
