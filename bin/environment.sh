# What bin/run and bin/test share: a Python >= 3.11, .venv, and the locked packages in it. Sourced, from the project's
# folder; sh, because macOS ships a bash from 2007.

say() { printf '%s\n' "$*" >&2; }
fail() { say "$program: $*"; exit 1; }

# What the caller's shell may have set must not decide what is installed or which database is touched.
unset PYTHONHOME PYTHONPATH DJANGO_SETTINGS_MODULE PIP_TARGET PIP_PREFIX
export PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() { # sets $python
    for python in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11 \
        /opt/homebrew/bin/python3 /usr/local/bin/python3 /usr/bin/python3; do
        if recent "$python"; then return 0; fi
    done
    say "$program: Python 3.11 or newer is needed and none was found. Install it:"
    say "  Debian, Ubuntu:  apt-get install python3 python3-venv"
    say "  macOS:           brew install python@3.13   (or the installer from python.org)"
    fail "or name one: PYTHON=/path/to/python3 $program"
}

can_make_venv() { "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; }

make_venv() { # makes .venv unless a working one is there
    if recent .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then return 0; fi
    find_python
    if ! can_make_venv && type install_venv_package >/dev/null 2>&1; then install_venv_package; fi
    if ! can_make_venv; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$python cannot make a virtual environment (its ensurepip is missing). Debian, Ubuntu: apt-get install python$version-venv"
    fi
    say "Making .venv with $("$python" --version 2>&1) ($python)"
    rm -rf .venv
    "$python" -m venv .venv || fail "$python -m venv .venv failed; the reason stands above."
}

# A fingerprint of all that an installation depends on; the folder too, as scripts and the editable client name it.
wanted() { # requirements file
    .venv/bin/python - "$1" client/pyproject.toml <<'PYTHON'
import hashlib, os, sys
parts = [open(name, "rb").read() for name in sys.argv[1:]]
print(hashlib.sha256(b"\0".join([*parts, os.getcwd().encode(), sys.version.encode()])).hexdigest())
PYTHON
}

install_locked() { # requirements file
    stamp=.venv/installed-$1
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted "$1")" ]; then return 0; fi
    say "Installing the packages of $1 (a minute or two the first time)"
    # A person sees pip at work; a log need not have it.
    quiet=--quiet
    if [ -t 2 ]; then quiet=; fi
    # shellcheck disable=SC2086 # empty or one word
    .venv/bin/python -m pip install $quiet --require-hashes -r "$1" ||
        fail "the packages could not be installed; the reason stands above. With no network, pip needs a mirror or a folder of wheels (pip's documentation: PIP_INDEX_URL, PIP_FIND_LINKS)."
    # Built with the locked setuptools, so that nothing is fetched past the lock.
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable client ||
        fail "the Chariot client (client/) could not be installed; the reason stands above."
    wanted "$1" >"$stamp"
}
