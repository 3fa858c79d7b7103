"""Sending checkpoints to witnesses, who keep them where nobody here can reach them (docs/adr/0011)."""
