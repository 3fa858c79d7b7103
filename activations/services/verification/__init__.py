"""The parts of `verify_ledger`. Each yields what is wrong, in words, as it finds it."""
