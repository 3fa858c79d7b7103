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
from activations.models.people import Contact, Customer
from activations.models.requests import Instance, IntakeEntry, UsageRequest

__all__ = [
    "Activation",
    "Billing",
    "Contact",
    "Customer",
    "Evidence",
    "Feature",
    "Instance",
    "IntakeEntry",
    "KeyPurpose",
    "LedgerChain",
    "LedgerCheckpoint",
    "LedgerEntry",
    "LedgerLeaf",
    "License",
    "LicenseTerms",
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
