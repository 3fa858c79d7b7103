"""Reads for auditors, from the ledger: what stands out, who decided what, figures by month, the story of an activation.

Nothing here locks, decides or writes.
"""
