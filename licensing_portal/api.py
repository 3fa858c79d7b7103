"""How the API's frameworks are set up; `settings` takes both from here."""

from __future__ import annotations

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "activations.api.doors.TokenAuthentication",
        "activations.api.doors.StaffSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["activations.api.doors.ByRule"],
    "DEFAULT_THROTTLE_CLASSES": ["activations.api.throttling.ByCaller"],
    "DEFAULT_PARSER_CLASSES": ["activations.api.parsing.BoundedJSON"],
    "DEFAULT_RENDERER_CLASSES": ["activations.api.rendering.PlainJSON"],
    "DEFAULT_PAGINATION_CLASS": "activations.api.paging.Newest",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "activations.api.schema.PortalSchema",
    "EXCEPTION_HANDLER": "activations.api.problems.handled",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",  # UTC, as in the ledger
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Offline licensing portal",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ActivationState": "activations.api.choices.ACTIVATION_STATES",
        "JobState": "activations.api.choices.JOB_STATES",
        "LicenseStatus": "activations.api.choices.LICENSE_STATUSES",
        "Outcome": "activations.api.choices.OUTCOMES",
        "RequestState": "activations.api.choices.REQUEST_STATES",
        "RestorationState": "activations.api.choices.RESTORATION_STATES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "activations.api.schema.complete",
    ],
}
