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
from activations.models.jobs import Job, JobPart
from activations.models.keys import KeyPurpose, PortalSecret, SigningKey
from activations.models.ledger import (
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    LedgerTile,
    LedgerUncovered,
    WitnessReceipt,
    WitnessState,
)
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
from activations.models.privacy import Erasure
from activations.models.requests import Instance, IntakeEntry, UsageRequest
from activations.models.staff_trail import FailedSignIns, StaffEvent
from activations.models.tokens import ApiCall, ApiToken
from activations.models.webhooks import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookState

__all__ = [
    "Activation",
    "ApiCall",
    "ApiToken",
    "AutomaticAnswer",
    "Billing",
    "Contact",
    "Conversation",
    "ConversationNote",
    "Customer",
    "DeliveryState",
    "Erasure",
    "Evidence",
    "FailedSignIns",
    "Feature",
    "Finding",
    "IncomingMail",
    "Instance",
    "IntakeEntry",
    "Job",
    "JobPart",
    "KeyPurpose",
    "LedgerChain",
    "LedgerCheckpoint",
    "LedgerEntry",
    "LedgerLeaf",
    "LedgerTile",
    "LedgerUncovered",
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
    "StaffEvent",
    "Tombstone",
    "UsageLicense",
    "UsageRequest",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookState",
    "WitnessReceipt",
    "WitnessState",
]
