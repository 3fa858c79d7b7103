"""Offline licensing: Usage Requests in, Usage Licenses out, and the ledger of everything that happened."""
