"""The mails of tests/mails and what must come out of each, as people would say it who look at the mail.

`python -m tests.mailtext.corpus` (PYTHONPATH=client) writes NAME.eml and NAME.json. What must come out is written here
by hand and never taken from the reader.
"""
