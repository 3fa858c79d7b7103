"""Work that a person asked for and does not wait for."""
