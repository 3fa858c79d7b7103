"""What Django tells of sign-ins, accounts and roles goes into the staff trail, whoever changed them and by which way.

`QuerySet.update` and raw SQL send no signal: what the portal itself changes so is booked (`actors.switch_account`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import receiver
from django.utils import timezone

from activations.domain.staff_trail import StaffKind
from activations.services.staff_trail import record, record_change, record_failed_sign_in

FLAGS = ("is_active", "is_staff", "is_superuser")
WATCHED = ("username", "email", "password", *FLAGS)


@receiver(user_logged_in)
def _signed_in(sender: object, user: Any, **more: Any) -> None:
    record(StaffKind.SIGNED_IN, user.get_username(), actor=user.get_username())


@receiver(user_logged_out)
def _signed_out(sender: object, user: Any, **more: Any) -> None:
    if user is not None:
        record(StaffKind.SIGNED_OUT, user.get_username(), actor=user.get_username())


@receiver(user_login_failed)
def _failed(sender: object, credentials: dict[str, Any], **more: Any) -> None:
    record_failed_sign_in(str(credentials.get("username") or ""), timezone.now())


# --- accounts ----------------------------------------------------------------------------------------------


@receiver(pre_save, sender=User)
def _note_before(sender: object, instance: Any, using: str, update_fields: Iterable[str] | None, **more: Any) -> None:
    instance.trail_before, instance.trail_password = None, instance._password is not None
    if instance.pk and (update_fields is None or set(update_fields) & set(WATCHED)):
        instance.trail_before = User.objects.using(using).filter(pk=instance.pk).values(*WATCHED).first()


@receiver(post_save, sender=User)
def _account_saved(sender: object, instance: Any, created: bool, using: str, **more: Any) -> None:
    flags = {name: getattr(instance, name) for name in FLAGS}
    if created:
        record_change(StaffKind.ACCOUNT_MADE, instance.username, flags, using=using)
        return
    before = getattr(instance, "trail_before", None)
    if before is None:
        return
    changed: dict[str, Any] = {
        name: [before[name], getattr(instance, name)]
        for name in ("username", *FLAGS)
        if before[name] != getattr(instance, name)
    }
    if before["email"] != instance.email:
        changed["email"] = "changed"
    if changed:
        record_change(StaffKind.ACCOUNT_CHANGED, before["username"], changed, using=using)
    if before["password"] != instance.password:
        how = "by its owner or an administrator" if instance.trail_password else "stored anew, as by a sign-in"
        record_change(StaffKind.PASSWORD_SET, instance.username, {"how": how}, using=using)


@receiver(post_delete, sender=User)
def _account_deleted(sender: object, instance: Any, using: str, **more: Any) -> None:
    record_change(StaffKind.ACCOUNT_REMOVED, instance.username, {}, using=using)


@receiver(post_delete, sender=Group)
def _role_deleted(sender: object, instance: Any, using: str, **more: Any) -> None:
    record_change(StaffKind.ROLE_REMOVED, instance.name, {}, using=using)


# --- roles and permissions ---------------------------------------------------------------------------------

_GIVEN_TAKEN = {
    User.groups.through: (StaffKind.ROLE_GIVEN, StaffKind.ROLE_TAKEN, "groups"),
    User.user_permissions.through: (StaffKind.PERMISSION_GIVEN, StaffKind.PERMISSION_TAKEN, "user_permissions"),
    Group.permissions.through: (StaffKind.ROLE_MAY, StaffKind.ROLE_MAY_NOT, "permissions"),
}


@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
@receiver(m2m_changed, sender=Group.permissions.through)
def _related(sender: Any, instance: Any, action: str, **told: Any) -> None:
    """What was given or taken, from whichever side it was done. `clear` names nothing afterwards: it is read before."""
    if action not in ("post_add", "post_remove", "pre_clear"):
        return
    reverse, using = told["reverse"], told["using"]
    given, taken, attribute = _GIVEN_TAKEN[sender]
    if action == "pre_clear":
        held = getattr(instance, _reverse_name(sender)) if reverse else getattr(instance, attribute)
        others = list(held.all())
    else:
        others = list(told["model"]._default_manager.using(using).filter(pk__in=told["pk_set"] or ()))
    kind = given if action == "post_add" else taken
    for other in sorted(others, key=_name):
        holder, what = (other, instance) if reverse else (instance, other)
        record_change(kind, _name(holder), {"what": _name(what)}, using=using)


def _reverse_name(through: Any) -> str:
    return "group_set" if through is Group.permissions.through else "user_set"


def _name(row: Any) -> str:
    if isinstance(row, Permission):
        return row.codename
    return str(row.name if isinstance(row, Group) else row.username)
