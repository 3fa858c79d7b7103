"""What a person goes on with from a finding: its text; the secrets that no table keeps are read out of the original."""

from __future__ import annotations

from activations.domain.words import FindingKind
from activations.models import Finding
from activations.services.post.findings import codes_in
from activations.services.post.reading import look_again


def text_to_open(finding: Finding) -> str:
    """The block of a Usage Request; or a deactivation code beside the License IDs it may belong to. Empty where there
    is nothing to go on with. Raises `vault.VaultError` where the original cannot be opened.
    """
    if finding.kind == FindingKind.REQUEST:
        return finding.text
    if finding.kind != FindingKind.CODE:
        return ""
    codes, license_ids = codes_in(look_again(finding.mail))
    earlier = finding.mail.findings.filter(kind=FindingKind.CODE, position__lt=finding.position).count()
    if earlier >= len(codes):
        return ""
    conversation = finding.mail.conversation
    if not license_ids and conversation is not None and conversation.license is not None:
        # Only where to look: a code that does not belong to this license frees nothing.
        license_ids = [conversation.license.license_id]
    return "\n".join([*license_ids, codes[earlier]])
