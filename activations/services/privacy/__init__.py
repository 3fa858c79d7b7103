"""Forgetting a person while every hash still holds (docs/adr/0012-personal-data.md)."""
