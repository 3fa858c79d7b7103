"""JSON and nothing else: people read the API's document, not its answers."""

from __future__ import annotations

from rest_framework.renderers import JSONRenderer


class PlainJSON(JSONRenderer):
    """UTF-8, without the parameters that a client could ask for."""

    def get_indent(self, accepted_media_type: str, renderer_context: object) -> None:
        return None
