"""The ledger: its entries, its checkpoints, and the proofs that nothing before them was changed."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activations.api.base import LARGEST_NUMBER, LicenseIdFilter, Output, PortalView, Strict, done, found, said
from activations.api.doors import Rule, actor_of
from activations.api.paging import Oldest
from activations.api.parsing import MomentFilter
from activations.domain.ledger import PORTAL_CHAIN, Kind, read_body
from activations.domain.scopes import Scope
from activations.domain.words import Ability
from activations.models import LedgerCheckpoint, LedgerEntry
from activations.services.proofs import consistency, inclusion
from activations.services.results import public_id

_READ = Rule(Scope.READ_LEDGER, (Ability.READ_LEDGER,))


class EntryOut(Output):
    """One entry. Its hash is SHA-256 of `body`, byte for byte in UTF-8 (RFC 8785)."""

    chain = serializers.CharField(help_text="A License ID, or portal.")
    seq = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    kind = serializers.CharField()
    reason = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    data = serializers.SerializerMethodField()  # type: ignore[assignment]
    prev = serializers.CharField()
    hash = serializers.CharField()
    body = serializers.CharField()

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_data(self, row: LedgerEntry) -> Any:
        try:
            return read_body(row.body).data
        except ValueError:
            return {}  # somebody damaged it: the body shows how


class EntryFilter(django_filters.FilterSet):
    chain = LicenseIdFilter(portal=True, field_name="chain", label="A License ID, or portal.")
    kind = django_filters.ChoiceFilter(choices=[(kind.value, kind.value) for kind in Kind])
    actor = django_filters.CharFilter(field_name="actor", label="Who did it.")
    since = MomentFilter(field_name="at", lookup_expr="gte", label="From then on.")
    until = MomentFilter(field_name="at", lookup_expr="lte", label="Up to then.")

    class Meta:
        model = LedgerEntry
        fields: ClassVar[list[str]] = ["chain", "kind", "actor", "since", "until"]


class EntryView(PortalView):
    queryset = LedgerEntry.objects.all()
    filterset_class = EntryFilter
    pagination_class = Oldest
    rules: ClassVar[dict[str, Rule]] = {"list": _READ, "retrieve": _READ}

    @extend_schema(operation_id="ledger_entries_list", responses=EntryOut(many=True))
    def list(self, request: Request) -> Response:
        """Entries in the order in which they were written; follow `next` to copy the ledger."""
        return self.page_of(self.get_queryset(), EntryOut)

    @extend_schema(operation_id="ledger_entries_get", responses=EntryOut)
    def retrieve(self, request: Request, chain: str, seq: int) -> Response:
        """One entry."""
        name = chain if chain == PORTAL_CHAIN else done(public_id("LIC", chain))
        row = LedgerEntry.objects.filter(chain=name, seq=seq).first() if seq <= LARGEST_NUMBER else None
        return self.with_etag(said(EntryOut(found(row, "entry-unknown", f"entry {seq} of {name}"))))


class CheckpointOut(Output):
    size = serializers.IntegerField(help_text="How many entries it covers.")
    root = serializers.CharField(  # type: ignore[assignment]
        help_text="The root hash of their Merkle tree (RFC 6962), hex."
    )
    note = serializers.CharField(help_text="The signed checkpoint (C2SP tlog-checkpoint). Keep it where we cannot.")
    created_at = serializers.DateTimeField()


class CheckpointView(PortalView):
    queryset = LedgerCheckpoint.objects.defer("subtrees")
    rules: ClassVar[dict[str, Rule]] = {"list": _READ, "retrieve": _READ}

    @extend_schema(operation_id="ledger_checkpoints_list", responses=CheckpointOut(many=True))
    def list(self, request: Request) -> Response:
        """Checkpoints, newest first."""
        return self.page_of(self.get_queryset(), CheckpointOut)

    @extend_schema(operation_id="ledger_checkpoints_get", responses=CheckpointOut)
    def retrieve(self, request: Request, size: int) -> Response:
        """The checkpoint of so many entries."""
        row = self.get_queryset().filter(size=size).first() if size <= LARGEST_NUMBER else None
        return self.with_etag(said(CheckpointOut(found(row, "checkpoint-unknown", f"checkpoint of {size}"))))


class InclusionAsked(Strict):
    chain = serializers.CharField(max_length=60, help_text="A License ID, or portal.")
    seq = serializers.IntegerField(min_value=1, max_value=LARGEST_NUMBER)
    size = serializers.IntegerField(
        min_value=1, max_value=LARGEST_NUMBER, required=False, help_text="Of the checkpoint; none: the newest."
    )


class InclusionOut(Output):
    """That the checkpoint holds the entry (RFC 6962, 2.1.1)."""

    chain = serializers.CharField()
    seq = serializers.IntegerField()
    index = serializers.IntegerField()
    size = serializers.IntegerField()
    body = serializers.CharField()
    leaf = serializers.CharField(help_text="SHA-256 of a zero byte and the body, hex.")
    path = serializers.ListField(child=serializers.CharField(), help_text="Hex, from the leaf to the root.")
    checkpoint = serializers.CharField()
    proof = serializers.CharField(help_text="The same as C2SP tlog-proof.")


class ConsistencyAsked(Strict):
    old = serializers.IntegerField(min_value=0, max_value=LARGEST_NUMBER, help_text="Size of the one you kept.")
    new = serializers.IntegerField(
        min_value=0, max_value=LARGEST_NUMBER, required=False, help_text="Of the later one; none: the newest."
    )


class ConsistencyOut(Output):
    """That the later checkpoint continues the earlier one (RFC 6962, 2.1.2)."""

    old = serializers.IntegerField()
    new = serializers.IntegerField()
    path = serializers.ListField(child=serializers.CharField(), help_text="Hex.")
    checkpoint = serializers.CharField()
    proof = serializers.CharField(help_text="The same as the body of add-checkpoint (C2SP tlog-witness).")


class ProofView(PortalView):
    queryset = LedgerCheckpoint.objects.none()
    pagination_class = None
    rules: ClassVar[dict[str, Rule]] = {"inclusion": _READ, "consistency": _READ}

    @extend_schema(
        operation_id="ledger_prove_inclusion", parameters=[InclusionAsked], responses=InclusionOut, filters=False
    )
    def inclusion(self, request: Request) -> Response:
        """Proof that an entry stands where it stood."""
        asked = self.asked(InclusionAsked)
        proof = done(inclusion(chain=asked["chain"], seq=asked["seq"], size=asked.get("size"), actor=actor_of(request)))
        return Response(
            {
                "chain": proof.chain,
                "seq": proof.seq,
                "index": proof.index,
                "size": proof.size,
                "body": proof.body,
                "leaf": proof.leaf,
                "path": [each.hex() for each in proof.path],
                "checkpoint": proof.note,
                "proof": proof.text,
            }
        )

    @extend_schema(
        operation_id="ledger_prove_consistency", parameters=[ConsistencyAsked], responses=ConsistencyOut, filters=False
    )
    def consistency(self, request: Request) -> Response:
        """Proof that nothing before a checkpoint was changed up to a later one."""
        asked = self.asked(ConsistencyAsked)
        proof = done(consistency(old=asked["old"], new=asked.get("new"), actor=actor_of(request)))
        return Response(
            {
                "old": proof.old,
                "new": proof.new,
                "path": [each.hex() for each in proof.path],
                "checkpoint": proof.note,
                "proof": proof.text,
            }
        )
