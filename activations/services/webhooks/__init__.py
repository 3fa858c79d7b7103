"""Webhooks: what the ledger says, told to other systems over HTTPS (docs/webhooks.md)."""
