"""How long the search for License Keys and deactivation codes takes over the worst that a form or a file can bring.

python -m bench.secret_search     (no database is touched)
"""

from __future__ import annotations

import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")
django.setup()

from activations.services.secret_text import secret_in, without_secrets  # noqa: E402  # Django is set up first

LETTERS = 2_000_000  # what one form may bring
JUNK = {
    "prose": "The quick brown fox jumps over the lazy dog. ",
    "percent signs": "%",
    "escaped letters": "%41",
    "escaped keys": "%4B%20",
    "escapes of escapes": "%25",
    "script escapes": "\\u004b ",
    "dashes in UTF-8": "%E2%80%91K",
    "letters K": f"%20{'K' * 98}",
    "look-alikes": f"\u041a%2D{'K1' * 49}",
    "rows of numbers": "2019 2020 Q1Z2 ",
    "encoded words": "=?utf-8?q?abc?= ",
}


def main() -> None:
    for name, junk in JUNK.items():
        text = (junk * LETTERS)[:LETTERS]
        seconds = []
        for search in (secret_in, without_secrets):
            began = time.process_time()
            search(text)
            seconds.append(time.process_time() - began)
        print(f"{name:20} searched {seconds[0]:5.1f} s, blacked out {seconds[1]:5.1f} s")


if __name__ == "__main__":
    main()
