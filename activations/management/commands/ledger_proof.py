"""ledger_proof: that an entry is in a checkpoint, or that one checkpoint continues another."""

from __future__ import annotations

import base64
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from activations.management.base import PortalCommand, done, named_actor
from activations.services.actors import system_actor
from activations.services.proofs import ConsistencyProof, InclusionProof, consistency, inclusion


class Command(PortalCommand):
    help = "Print a proof that an auditor checks without the portal: of an entry, or between two checkpoints."

    def arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="inclusion|consistency")
        entry = kinds.add_parser("inclusion", help="that the ledger had this entry when the checkpoint was made")
        entry.add_argument("license_id", metavar="LICENSE_ID", help="or portal, for entries of no license")
        entry.add_argument("seq", metavar="SEQ", type=int, help="the entry's number in its chain")
        entry.add_argument("--size", type=int, metavar="N", help="the checkpoint of N entries (default: the newest)")
        both = kinds.add_parser("consistency", help="that nothing before the older checkpoint was changed")
        both.add_argument("old", metavar="OLD", type=int, help="entries that the older checkpoint covers")
        both.add_argument("new", metavar="NEW", type=int, nargs="?", help="of the later one (default: the newest)")
        for sub in (entry, both):
            sub.add_argument("--actor", metavar="USER")
            sub.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object, refusals too"
            )

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        actor = named_actor(options["actor"]) if options["actor"] else system_actor()
        if options["kind"] == "inclusion":
            found = inclusion(chain=options["license_id"], seq=options["seq"], size=options["size"], actor=actor)
            return _inclusion(done(found))
        return _consistency(done(consistency(old=options["old"], new=options["new"], actor=actor)))

    def lines(self, answer: dict[str, Any]) -> list[str]:
        return [answer["text"].rstrip("\n")]


def _inclusion(proof: InclusionProof) -> dict[str, Any]:
    return {
        "message": f"{proof.chain} entry {proof.seq} is leaf {proof.index} of the checkpoint of {proof.size} entries.",
        "chain": proof.chain,
        "seq": proof.seq,
        "index": proof.index,
        "size": proof.size,
        "body": proof.body,
        "leaf_hash": proof.leaf,
        "proof": [base64.b64encode(step).decode() for step in proof.path],
        "checkpoint": proof.note,
        "text": proof.text,
    }


def _consistency(proof: ConsistencyProof) -> dict[str, Any]:
    return {
        "message": f"The checkpoint of {proof.new} entries continues that of {proof.old}.",
        "old": proof.old,
        "new": proof.new,
        "proof": [base64.b64encode(step).decode() for step in proof.path],
        "checkpoint": proof.note,
        "text": proof.text,
    }
