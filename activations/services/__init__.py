"""One use case a file: keyword-only, names its actor, owns its transaction and lock, returns a value."""
