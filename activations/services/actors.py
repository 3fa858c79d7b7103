"""From a signed-in or named user to the actor of a use case; and creating staff with a role."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from activations.domain.ledger import Kind
from activations.domain.staff_trail import StaffKind
from activations.domain.words import ROLES, Ability, Actor
from activations.models.privacy import PSEUDONYM_DOMAIN
from activations.services.booking import portal_book
from activations.services.results import BadInput, Refused, bad_name, bad_reason, lacking
from activations.services.staff_trail import record, told_elsewhere


@dataclass(frozen=True)
class StaffCreated:
    username: str
    role: str


@dataclass(frozen=True)
class StaffChanged:
    """`email` is "set", "changed" or "removed"."""

    username: str
    email: str


@dataclass(frozen=True)
class StaffSwitched:
    username: str
    active: bool


RESERVED = frozenset({"command-line", "anonymous", "automatic", "online"})
MOST_EMAIL = 254  # letters; RFC 5321 lets no more through


class UnknownActor(Exception):
    """No active staff member has that name; the message says what to do."""


def actor_for(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """The actor of a signed-in user. A superuser has every ability a role can have, and no more."""
    if not isinstance(user, User) or not user.is_active or not user.is_staff:
        return Actor("anonymous")
    held = {permission.removeprefix("activations.") for permission in user.get_all_permissions()}
    return Actor(user.username, frozenset(ability for ability in Ability if ability.value in held))


def actor_named(username: str) -> Actor:
    """The actor of a staff member named on the command line. Raises UnknownActor."""
    user = User.objects.filter(username=username, is_active=True, is_staff=True).first()
    if user is None:
        raise UnknownActor(
            f"There is no active staff member {username!r}. "
            f"Make one with `manage.py create_staff {username} --role ...`."
        )
    return actor_for(user)


def create_staff(
    *, username: str, role: str, password: str | None, actor: Actor, source: str, email: str | None = None
) -> StaffCreated | Refused | BadInput:
    """A staff account in one role. Without a password it cannot sign in, and can be named as actor only; without an
    email address no reminder reaches it.
    """
    refused = lacking(actor, [Ability.MANAGE_STAFF])
    if refused:
        return refused
    if role not in ROLES:
        return BadInput("role-unknown", f"There is no role {role}. Roles: {', '.join(ROLES)}.")
    user = User(username=username, email=email or "", is_staff=True)
    user.clean()  # from here on the name as it is stored: Unicode has several spellings of one name
    if user.username in RESERVED:
        return BadInput("name-reserved", f"{user.username} is what the ledger calls the portal itself. Choose another.")
    unfit = bad_name(user.username, "The user name", "name-unfit") or (None if email is None else bad_email(email))
    if unfit:
        return unfit
    try:
        user.full_clean(exclude=["password"], validate_unique=False)
        if password is not None:
            validate_password(password, user)
    except ValidationError as error:
        return BadInput("account-invalid", " ".join(error.messages))
    user.set_password(password)
    try:
        with transaction.atomic(), told_elsewhere():
            user.save()
            user.groups.add(Group.objects.get(name=role))
            with portal_book(actor=actor, source=source) as book:
                book.add(Kind.STAFF_CREATED, {"username": user.username, "role": role})
            if user.email:
                record(StaffKind.ACCOUNT_CHANGED, user.username, {"email": "set"}, actor=actor.name)
    except IntegrityError:
        return Refused("account-exists", f"There is a staff member {username} already.")
    return StaffCreated(user.username, role)


def change_staff(*, username: str, email: str | None, actor: Actor) -> StaffChanged | Refused | BadInput:
    """Gives a staff account an email address, or takes it away (None). An address is personal data: the ledger, where
    it would stay, has none, and the staff trail says only that it changed.
    """
    problem = lacking(actor, [Ability.MANAGE_STAFF]) or (None if email is None else bad_email(email))
    if problem:
        return problem
    name, address = User.normalize_username(username), User.objects.normalize_email(email)
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=name, is_staff=True).first()
        if user is None:
            return BadInput("account-unknown", f"There is no staff member {username!r}.")
        if user.email == address:
            what = "has this address" if address else "has no address"
            return Refused("nothing-changed", f"The account {name} {what} already; nothing was changed.")
        how = "removed" if not address else "changed" if user.email else "set"
        User.objects.filter(pk=user.pk).update(email=address)  # sends no signal: the row below names the actor
        record(StaffKind.ACCOUNT_CHANGED, user.username, {"email": how}, actor=actor.name)
    return StaffChanged(user.username, how)


def bad_email(email: str) -> BadInput | None:
    unfit = bad_name(email, "The email address", "email-unfit")
    if unfit:
        return unfit
    try:
        validate_email(email)
    except ValidationError:
        return BadInput("email-invalid", f"{email[:100] or 'Nothing'} is not an address that a mail can be sent to.")
    if len(email) > MOST_EMAIL or email.lower().endswith(f"@{PSEUDONYM_DOMAIN}"):
        return BadInput(
            "email-invalid", f"No mail reaches this address: it is a pseudonym or over {MOST_EMAIL} letters."
        )
    return None


def out_of_reach(username: str) -> list[str]:
    """The warning for an account that should be reminded of what waits for it, and cannot be."""
    user = User.objects.get(username=User.normalize_username(username))
    if user.email or not actor_for(user).may(Ability.DECIDE_RESTORATION):
        return []
    return [
        f"{user.username} may decide restorations and has no email address, so neither reminders of waiting cases nor "
        f"word of written-off hosts reach it. Give it one: manage.py change_staff {user.username} --email ADDRESS"
    ]


def switch_account(
    *, username: str, active: bool, actor: Actor, source: str, reason: str
) -> StaffSwitched | Refused | BadInput:
    """Disables a staff account, whose sessions end with their next request, or enables it again."""
    problem = lacking(actor, [Ability.MANAGE_STAFF]) or bad_reason(reason)
    if problem:
        return problem
    name = User.normalize_username(username)
    # The portal chain's lock, which the book takes, lets one at a time look and switch.
    with transaction.atomic(), portal_book(actor=actor, source=source, reason=reason) as book:
        user = User.objects.filter(username=name, is_staff=True).first()
        if user is None:
            return BadInput("account-unknown", f"There is no staff member {username!r}.")
        if user.is_active == active:
            state = "enabled" if active else "disabled"
            return Refused(f"account-{state}", f"The account {name} is {state} already; nothing was booked.")
        User.objects.filter(pk=user.pk).update(is_active=active)
        book.add(Kind.STAFF_ENABLED if active else Kind.STAFF_DISABLED, {"username": user.username})
    return StaffSwitched(user.username, active)


def system_actor() -> Actor:
    """Whoever runs a command without naming themselves: keys, staff and the ledger, never a license."""
    held = {Ability.MANAGE_KEYS, Ability.MANAGE_STAFF, Ability.CHECKPOINT_LEDGER, Ability.READ_LEDGER}
    return Actor("command-line", frozenset(held))
