"""The tables. What must always hold is a named constraint here or a trigger in `triggers`."""

from activations.models.activations import (
    Activation,
    Restoration,
    RevealedCode,
    Sighting,
    Tombstone,
    UsageLicense,
)
from activations.models.catalog import Billing, Feature, Product
from activations.models.desk import Evidence, Reply, ReplyText, SavedFilter, SentForm
from activations.models.keys import KeyPurpose, PortalSecret, SigningKey
from activations.models.ledger import LedgerChain, LedgerCheckpoint, LedgerEntry, LedgerLeaf
from activations.models.licenses import License, LicenseTerms, RetiredKey, Seat
from activations.models.mail import (
    AutomaticAnswer,
    Conversation,
    ConversationNote,
    Finding,
    IncomingMail,
    Mailbox,
    MailSource,
    OutgoingMail,
)
from activations.models.people import Contact, Customer
from activations.models.requests import Instance, IntakeEntry, UsageRequest

__all__ = [
    "Activation",
    "AutomaticAnswer",
    "Billing",
    "Contact",
    "Conversation",
    "ConversationNote",
    "Customer",
    "Evidence",
    "Feature",
    "Finding",
    "IncomingMail",
    "Instance",
    "IntakeEntry",
    "KeyPurpose",
    "LedgerChain",
    "LedgerCheckpoint",
    "LedgerEntry",
    "LedgerLeaf",
    "License",
    "LicenseTerms",
    "MailSource",
    "Mailbox",
    "OutgoingMail",
    "PortalSecret",
    "Product",
    "Reply",
    "ReplyText",
    "Restoration",
    "RetiredKey",
    "RevealedCode",
    "SavedFilter",
    "Seat",
    "SentForm",
    "Sighting",
    "SigningKey",
    "Tombstone",
    "UsageLicense",
    "UsageRequest",
]
