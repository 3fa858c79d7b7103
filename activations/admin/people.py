"""Customers with their contacts, what is sold, and the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from activations.admin import importing, privacy
from activations.admin.access import may
from activations.admin.base import ReadOnlyAdmin, TimeFilter, link, when
from activations.admin.filters import ConditionFilter
from activations.domain.staff_trail import StaffKind
from activations.domain.words import Ability
from activations.models import Contact, Customer, Feature, Product
from activations.models.privacy import PSEUDONYM_DOMAIN
from activations.services.contacts import EDITORS
from activations.services.license_rules import bad_contact, bad_customer
from activations.services.privacy.pseudonymise import MAY
from activations.services.results import BadInput
from activations.services.staff_trail import record

MOST_LICENSES = 30  # of one customer on its page

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
    readonly_fields = ["forget"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "email", *(["forget"] if may(request, *MAY) else [])]

    @admin.display(description="on request of the person")
    def forget(self, row: Contact) -> SafeString | str:
        if row.pk is None or row.email.endswith(f"@{PSEUDONYM_DOMAIN}"):
            return "-"
        return format_html('<a href="{}">Pseudonymise</a>', privacy.address_of(row))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, *EDITORS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, *EDITORS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LicensesFilter(ConditionFilter):
    title = "licenses"
    parameter_name = "has_licenses"
    conditions = {"yes": ("With licenses", Q(held__gt=0)), "no": ("Without a license", Q(held=0))}


_HAS_CONTACT = Exists(Contact.objects.filter(customer=OuterRef("pk")))


class ContactFilter(ConditionFilter):
    title = "contact"
    parameter_name = "has_contact"
    conditions = {"yes": ("With a contact", _HAS_CONTACT), "no": ("Nobody to mail to", ~_HAS_CONTACT)}


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
    fields = ["name", "licenses_listed", "created"]
    inlines = [ContactInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).annotate(held=Count("licenses", distinct=True))
        return found.prefetch_related("contacts")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("import/", view(importing.import_customers_page), name="customer_import"),
            path("contacts/<int:pk>/pseudonymise/", view(privacy.pseudonymise), name="customer_pseudonymise"),
            path("import/example.csv", view(importing.customers_example), name="customer_import_example"),
            *super().get_urls(),
        ]

    @admin.display(description="contacts")
    def contacts_named(self, row: Customer) -> str:
        first, *more = [contact.email for contact in row.contacts.all()] or ["-"]
        return f"{first} and {len(more)} more" if more else first

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Mails go to contacts unasked, so who changed them stands in the staff trail; names and addresses do not."""
        super().save_related(request, form, formsets, change)
        contacts = [formset for formset in formsets if formset.model is Contact]
        added = sum(len(formset.new_objects) for formset in contacts)
        changed = sum(len(formset.changed_objects) for formset in contacts)
        if added or changed or form.changed_data:
            told = {"contacts_added": added, "contacts_changed": changed, "customer_made": not change}
            record(StaffKind.CONTACTS_CHANGED, form.instance.name, told)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        has_licenses = obj is not None and obj.licenses.exists()
        kept = ["licenses_listed", "created"]
        return ["name", *kept] if has_licenses else kept

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(self.fields or ()) if obj is not None else ["name"]

    @admin.display(description="licenses")
    def licenses_listed(self, row: Customer) -> SafeString | str:
        held = row.licenses.order_by("-created_at", "-pk")[: MOST_LICENSES + 1]
        lines = [(link(license), license.status) for license in held[:MOST_LICENSES]]
        if not lines:
            return "none yet"
        shown = format_html_join("", '{} <span class="quiet">{}</span><br>', lines)
        more = (
            format_html("More are in the list of licenses: search it for this customer.")
            if len(held) > MOST_LICENSES
            else ""
        )
        return format_html("{}{}", shown, more)

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


def _is_self(request: HttpRequest, row: Any) -> bool:
    return row is not None and row.pk == request.user.pk


@admin.register(User)
class StaffAdmin(ReadOnlyAdmin):
    nav_name = "Staff"
    readers = (Ability.MANAGE_STAFF, Ability.READ_LEDGER)
    list_filter = ["groups", "is_active"]
    search_fields = ["username"]
    export_columns = {
        "name": "username",
        "role": lambda row: ", ".join(group.name for group in row.groups.all()),
        "active": "is_active",
        "superuser": "is_superuser",
        "last sign-in": "last_login",
    }
    fields = ["name", "roles", "address", "active", "superuser", "seen"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody with a role has a page about themselves."""
        return super().has_view_permission(request, obj) or (_is_self(request, obj) and may(request))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """By `has_view_permission` the page decides whether to lead back to the list, which not everybody may see."""
        response: Any = super().render_change_form(request, context, *args, **kwargs)
        response.context_data["has_view_permission"] = may(request, *self.readers)
        return response

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        shown = may(request, Ability.MANAGE_STAFF) or _is_self(request, obj)
        return [name for name in self.fields or () if shown or name != "address"]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = may(request, Ability.MANAGE_STAFF)
        return [name for name in ("username", "roles", "address", "is_active", "seen") if shown or name != "address"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    # Django's own fields come with advice for those who may change them; nobody may, here.
    @admin.display(description="name")
    def name(self, row: User) -> str:
        return row.username

    @admin.display(description="email")
    def address(self, row: User) -> str:
        return row.email or "none: reminders do not reach this person"

    @admin.display(description="active")
    def active(self, row: User) -> str:
        return "yes" if row.is_active else "no: this person cannot sign in"

    @admin.display(description="superuser")
    def superuser(self, row: User) -> str:
        return "yes" if row.is_superuser else "no"

    @admin.display(description="role")
    def roles(self, row: User) -> str:
        return ", ".join(group.name for group in row.groups.all()) or ("superuser" if row.is_superuser else "-")

    @admin.display(description="last sign-in", ordering="last_login")
    def seen(self, row: User) -> str:
        return when(row.last_login)
