"""Settings, from environment variables alone; docs/configuration.md explains each.

PORTAL_PROFILE=embedded (the default) needs nothing: SQLite, jobs in this process, mail to files, secrets made
once, all under PORTAL_VAR_DIR. PORTAL_PROFILE=production refuses to start without its secrets and host names.
Every variable NAME can be given as NAME_FILE too, the path of a file that holds the value (Docker and systemd
secrets).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ  # type: ignore[import-untyped]
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from licensing_portal import api, databases, mailboxes, own_secrets, providers, receivers

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()


def given(name: str) -> str:
    """The variable as it stands, or "": `env.str` would take a value that starts with "$" for a reference."""
    return str(env.ENVIRON.get(name, "")).strip()


def within(name: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} is {value}. Set it to {least} to {most}.")
    return value


def required(name: str, use: str, example: str) -> str:
    value = given(name)
    if not value:
        raise ImproperlyConfigured(f"PORTAL_PROFILE=production needs {name}: {use}. {example}")
    return value


# --- profile ----------------------------------------------------------------------------------------------

PORTAL_PROFILE = given("PORTAL_PROFILE") or "embedded"
if PORTAL_PROFILE not in ("embedded", "production"):
    raise ImproperlyConfigured(f"PORTAL_PROFILE is {PORTAL_PROFILE!r}. Set it to embedded or production.")
PRODUCTION = PORTAL_PROFILE == "production"

VAR_DIR = Path(given("PORTAL_VAR_DIR") or BASE_DIR / "var").absolute()
# The vendor root's certificate as the portal leaves it for a test Chariot (`chariot-license --trust-root`).
TRUST_ROOT_FILE = VAR_DIR / "trust-root.pem"
EMBEDDED_DATABASE = VAR_DIR / "portal.sqlite3"

# Never on by environment: a debug page shows settings and requests, License Keys among them.
DEBUG = False

# --- secrets ----------------------------------------------------------------------------------------------

if PRODUCTION:
    SECRET_KEY = required("SECRET_KEY", "signs sessions", f"Make a value with: {own_secrets.MAKE_SECRET}")
    _keys = required(
        "KEY_ENCRYPTION_KEY",
        "encrypts License Keys and signing keys at rest; keep a copy, without it they are lost",
        f"Make a value with: {own_secrets.MAKE_KEY}",
    )
    ALLOWED_HOSTS = [
        host.strip()
        for host in required(
            "ALLOWED_HOSTS",
            "the host names that the portal answers to",
            "Separate them by commas, for example ALLOWED_HOSTS=licensing.example.com",
        ).split(",")
        if host.strip()
    ]
else:
    SECRET_KEY = given("SECRET_KEY") or own_secrets.kept_secret(VAR_DIR / "secret-key", own_secrets.new_secret())
    _keys = given("KEY_ENCRYPTION_KEY") or own_secrets.kept_secret(
        VAR_DIR / "key-encryption-key", own_secrets.new_key(), lost_if_exists=EMBEDDED_DATABASE
    )
    ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env.list("ALLOWED_HOSTS", default=[])]

# list[bytes], 32 bytes each. The first encrypts, all decrypt: to rotate, put the new one in front.
KEY_ENCRYPTION_KEYS = own_secrets.parse_keys(_keys)

# Requests and licenses made with a test switch say so under their signature; only a test portal takes them.
ACCEPT_TEST_REQUESTS = env.bool("ACCEPT_TEST_REQUESTS", default=not PRODUCTION)
if PRODUCTION and ACCEPT_TEST_REQUESTS:  # Design 9.20
    raise ImproperlyConfigured(
        "ACCEPT_TEST_REQUESTS is on, and a production portal refuses requests that were made with a test switch: "
        "with one, a host can pass for another. Unset it, or set PORTAL_PROFILE=embedded on a test portal."
    )

# Names the ledger in its signed checkpoints (C2SP tlog-checkpoint). Auditors know it by this name: never change it.
LEDGER_ORIGIN = given("LEDGER_ORIGIN") or "licensing.localhost/ledger"

# Who is sent each checkpoint, to keep it where we cannot reach it: file:// and a folder's whole path, mailto:address, https://prefix#key.
LEDGER_WITNESSES = given("LEDGER_WITNESSES").split()

# Of one customer within 12 months; above it an approval has to say so. 0: each approval has to.
RESTORATIONS_A_YEAR = env.int("RESTORATIONS_A_YEAR", default=2)
if RESTORATIONS_A_YEAR < 0:
    raise ImproperlyConfigured(f"RESTORATIONS_A_YEAR is {RESTORATIONS_A_YEAR}. Set it to 0 or more.")

# --- application ------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "activations.admin.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "activations.apps.ActivationsConfig",
    "licensing_portal.apps.LicensingPortalConfig",
]

MIDDLEWARE = [
    "licensing_portal.request_ids.RequestIds",
    "django.middleware.security.SecurityMiddleware",
    # Before WhiteNoise, so that static files carry the policy as well.
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "activations.admin.callers.Callers",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "activations.admin.errors.PortalErrors",
]

ROOT_URLCONF = "licensing_portal.urls"
WSGI_APPLICATION = "licensing_portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en"
USE_I18N = False  # one language: what staff quote to customers must read the same on every screen
USE_TZ = True
TIME_ZONE = "UTC"

# --- database ---------------------------------------------------------------------------------------------

_database_url = given("DATABASE_URL")
if not _database_url:
    own_secrets.own_folder(VAR_DIR)
DATABASES: dict[str, dict[str, Any]] = {
    "default": databases.with_portal_options(
        databases.parsed(_database_url)
        if _database_url
        else {"ENGINE": databases.SQLITE, "NAME": str(EMBEDDED_DATABASE)},
        lock_seconds=env.int("PORTAL_LOCK_TIMEOUT", default=10),
        statement_seconds=env.int("PORTAL_STATEMENT_TIMEOUT", default=30),
        idle_seconds=env.int("PORTAL_IDLE_TRANSACTION_TIMEOUT", default=30),
    )
}

# --- background jobs --------------------------------------------------------------------------------------

CELERY_BROKER_URL = given("REDIS_URL")
# Without a broker, jobs run in the process that asks for them: the embedded default has no second process.
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True  # what a job did stands in the database, nowhere else
# A job is taken off the queue when it is done, not when it starts: a killed worker's jobs run again.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For as long as it takes: nobody may be there to start a worker again that gave up. Every 30 seconds in the end.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Past the longest job, or Redis would hand a running job to a second worker. A Redis that takes the connection and
# does not answer would be waited for without end.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_connect_timeout": 3, "socket_timeout": 3}
# A person waits for the answer that queues a job; the periodic jobs pick up what could not be queued.
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
# One fetches, one may hang on the mail server that sends; the others go on.
CELERY_WORKER_CONCURRENCY = within(
    "WORKER_CONCURRENCY", env.int("WORKER_CONCURRENCY", default=max(4, os.cpu_count() or 1)), 2, 100
)
# Seconds between two looks into the mailboxes and the outbox.
MAIL_EVERY = within("MAIL_EVERY", env.int("MAIL_EVERY", default=60), 1, 3600)
# A job that waited while ten others came after it is dropped, they do the same: a worker that was away for a night has
# not to work off hundreds of them before the mail that a person sends now.
_often = {"schedule": float(MAIL_EVERY), "options": {"expires": max(600, 10 * MAIL_EVERY)}}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "fetch-mail": {"task": "activations.fetch_mail", **_often},
    "send-notices": {"task": "activations.send_notices", "schedule": 3600.0},
    "send-mails": {"task": "activations.send_mails", **_often},
    # With a broker it only picks up what a worker left behind: a job is handed to one as soon as it is asked for.
    "run-jobs": {"task": "activations.run_jobs", "schedule": 60.0 if CELERY_BROKER_URL else 5.0},
    "sum-up-sign-ins": {"task": "activations.sum_up_sign_ins", "schedule": 60.0},
    "send-webhooks": {"task": "activations.send_webhooks", "schedule": 5.0, "options": {"expires": 60}},
    "forget-api-answers": {"task": "activations.forget_api_answers", "schedule": 3600.0},
    "checkpoint-ledger": {"task": "activations.checkpoint_ledger", "schedule": 3600.0},
    "send-checkpoints": {"task": "activations.send_checkpoints", "schedule": 60.0},
    "verify-ledger": {"task": "activations.verify_ledger", "schedule": 24 * 3600.0},
}
# Beat wakes at least this often and then saves its schedule file, by whose age a container's health is judged.
CELERY_BEAT_MAX_LOOP_INTERVAL = 60
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- mail -------------------------------------------------------------------------------------------------

# Seconds that a mail server, in or out, has for each answer.
MAIL_TIMEOUT = env.int("MAIL_TIMEOUT", default=60)
if not 1 <= MAIL_TIMEOUT <= 120:
    raise ImproperlyConfigured(f"MAIL_TIMEOUT is {MAIL_TIMEOUT}. Set it to 1 to 120 seconds; jobs have no more time.")
EMAIL_TIMEOUT = min(MAIL_TIMEOUT, 30)
# Seconds until a mail that the mail server did not take is tried again: after the first attempt, the second and so on.
MAIL_RETRY_AFTER = env.list(
    "MAIL_RETRY_AFTER", cast=int, default=[60, 300, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400]
)
if not MAIL_RETRY_AFTER or not all(1 <= seconds <= 7 * 86400 for seconds in MAIL_RETRY_AFTER):
    raise ImproperlyConfigured(
        "MAIL_RETRY_AFTER is a list of seconds, each from 1 to 604800 (a week), for example 60,300,900,3600,86400."
    )
_provider = providers.parsed(given("EMAIL_URL")) if given("EMAIL_URL") else None
ANYMAIL: dict[str, Any] = {}
if _provider is not None:
    EMAIL_BACKEND = _provider.backend
    ANYMAIL = {**_provider.settings, "REQUESTS_TIMEOUT": EMAIL_TIMEOUT}
elif given("EMAIL_URL"):
    _email = env.email_url("EMAIL_URL")
    EMAIL_BACKEND = _email["EMAIL_BACKEND"]
    EMAIL_FILE_PATH = _email["EMAIL_FILE_PATH"] or None
    EMAIL_HOST = _email["EMAIL_HOST"] or ""
    EMAIL_PORT = _email["EMAIL_PORT"] or 25
    EMAIL_HOST_USER = _email["EMAIL_HOST_USER"] or ""
    EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"] or ""
    EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
    EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(VAR_DIR / "mail")
DEFAULT_FROM_EMAIL = given("DEFAULT_FROM_EMAIL") or "Licensing Support <licensing@localhost>"
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# The mailboxes that are fetched; none: mails are brought to the desk by hand.
MAILBOXES = mailboxes.parsed(given("IMAP_URLS"), production=PRODUCTION)
# The authserv-id of our own mail server (RFC 8601): what anybody else says of SPF, DKIM and DMARC is not shown.
TRUSTED_MAIL_SERVERS = env.list("TRUSTED_MAIL_SERVERS", default=[])

# --- webhooks ---------------------------------------------------------------------------------------------

# Receivers that may be reached although they are inside of our own network.
WEBHOOK_ALLOW = receivers.parsed(env.list("WEBHOOK_ALLOW", default=[]))
# A further authority whose certificates are good for receivers: that of the plant.
WEBHOOK_CA_FILE = given("WEBHOOK_CA_FILE")
if WEBHOOK_CA_FILE and not Path(WEBHOOK_CA_FILE).is_file():
    raise ImproperlyConfigured(f"WEBHOOK_CA_FILE is {WEBHOOK_CA_FILE}, where no file is. Name a file in PEM.")
WEBHOOK_LOCAL_HTTP = env.bool("WEBHOOK_LOCAL_HTTP", default=False)
if PRODUCTION and WEBHOOK_LOCAL_HTTP:
    raise ImproperlyConfigured(
        "WEBHOOK_LOCAL_HTTP is on, and a production portal sends webhooks by https:// only. Unset it."
    )

# --- API --------------------------------------------------------------------------------------------------

# Requests a minute from one address to what needs no token: a connected Chariot that asks for its Usage License.
ONLINE_RATE = within("ONLINE_RATE", env.int("ONLINE_RATE", default=30), 1, 6000)
# Requests a minute from one address that bring no token that is taken, where one is needed.
UNKNOWN_RATE = within("UNKNOWN_RATE", env.int("UNKNOWN_RATE", default=60), 1, 100_000)
# What processes share for a while and may lose: how much each caller asked for.
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CELERY_BROKER_URL,
        "KEY_PREFIX": "portal-cache",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
    if CELERY_BROKER_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "shared"},
    "own": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "own"},
}
REST_FRAMEWORK, SPECTACULAR_SETTINGS = api.REST_FRAMEWORK, api.SPECTACULAR_SETTINGS

# --- static files -----------------------------------------------------------------------------------------

STATIC_URL = "/static/"
# Without STATIC_ROOT they are served from where they lie, and nothing has to be collected before the first start. With
# it (the container image) `collectstatic` has put them there, compressed and under names that browsers keep for good.
STATIC_ROOT = given("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- browser security -------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600  # a working day
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # health checks come straight to the process, without TLS
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=365 * 86400) if PRODUCTION else 0
# The portal speaks for its own host name; its siblings and the browsers' preload list are the owner's decision.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# Opt-in: without a proxy in front that sets this header, any client could claim to have come by TLS.
BEHIND_TLS_PROXY = env.bool("PORTAL_BEHIND_TLS_PROXY", default=False)
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# A whole pasted mail thread with a block in it fits; more than that is no request.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

# --- log --------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {request_id} {name}: {message}", "style": "{"},
    },
    "filters": {"request_id": {"()": "licensing_portal.request_ids.WithRequestId"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
    },
    "root": {"handlers": ["stderr"], "level": (given("PORTAL_LOG_LEVEL") or "INFO").upper()},
    # Django gives its own logger handlers for DEBUG and mail; ours is enough and prints once.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # Anyone can send a wrong host name; the access log has the 400, a traceback each would bury the rest.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
