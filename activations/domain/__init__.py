"""Pure rules: decisions, transitions, the ledger's shape and its fold. No Django, no clock, no randomness."""
