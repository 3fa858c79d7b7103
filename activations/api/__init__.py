"""The API for other systems and connected Chariots: translates, calls one service, answers (docs/api.md)."""
