"""The auditor's pages: the past, the story of an activation, what stands out, figures, the check of the ledger."""
