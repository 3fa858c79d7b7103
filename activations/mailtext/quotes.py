"""What the sender wrote in this mail, without the earlier mails below or above it: for folding on the screen.

Nothing is decided by it and nothing is lost by it: whatever is folded stands in `Mail.text` and is searched. So each
rule looks at whole lines, once, and when in doubt nothing is folded.
"""

# ruff: noqa: RUF001 - the words of mail programs in their own scripts

from __future__ import annotations

import re

# "On Mon, Nov 24, 2025 at 9:12 AM Support <support@example.com> wrote:" in the languages of mail programs.
_WROTE = re.compile(
    r"^[> ]*(?:"
    r"(?:On|Am|Le|El|Il|Op|Em|No dia|Den|Dnia|W dniu|Dne|På)\b.{4,300}"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev|napisał\(?a?\)?|napsal\(?a?\)?)\b.{0,200}"
    r"|.{4,300}\b(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev|пишет|написала?)\s?"
    r"|.{4,200}(?:のメール|さんは書きました|写道|寫道|님이 작성)"
    r"|في .{4,200}كتب.{0,100}|בתאריך .{4,200}(?:כתב|מאת).{0,100}"
    r")\s?[:：]\s*$"
)
_ORIGINAL = re.compile(
    r"^[> ]*(?:-{2,}|_{2,}) ?(?:Original Message|Original Appointment|Reply message|Ursprüngliche Nachricht"
    r"|Originalnachricht|Message d'origine|Message original|Mensaje original|Messaggio originale|Oorspronkelijk bericht"
    r"|Mensagem original|Ursprungligt meddelande|Oprindelig meddelelse|Исходное сообщение|原始邮件|原始郵件|邮件原件"
    r"|元のメッセージ|원본 메시지|الرسالة الأصلية|הודעה מקורית) ?(?:-{2,}|_{2,})\s*$",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"^[> ]*\*?(?:From|Von|De|Da|Van|Från|Fra|Od|От|发件人|寄件者|差出人|보낸 사람|من|מאת)\*? ?[:：]\*? ?\S",
    re.IGNORECASE,
)
_SENT_OR_TO = re.compile(
    r"^[> ]*\*?(?:Sent|Date|To|Subject|Gesendet|Datum|An|Betreff|Envoyé|À|A|Objet|Enviado|Para|Asunto|Inviato|Oggetto"
    r"|Verzonden|Aan|Onderwerp|Assunto|Skickat|Till|Ämne|Sendt|Til|Emne|Wysłano|Do|Temat|Отправлено|Кому|Тема"
    r"|发送时间|收件人|主题|寄件日期|收件者|主旨|送信日時|宛先|件名|보낸 날짜|받는 사람|제목"
    r"|تم الإرسال|إلى|الموضوع|נשלח|אל|נושא)\*? ?[:：]",
    re.IGNORECASE,
)
_ABOVE_THIS_LINE = re.compile(
    r"^[> ]*(?:##-? ?|-{2,} ?)?(?:Please )?(?:type your )?reply above this line", re.IGNORECASE
)
_FORWARDED = re.compile(
    r"forwarded message|weitergeleitete nachricht|message transféré|message réexpédié|mensaje reenviado"
    r"|messaggio inoltrato|doorgestuurd bericht|vidarebefordrat|пересылаемое сообщение|转发的邮件|轉寄的郵件|転送",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"^(?:Sent from (?:my|Outlook|Mail|Yahoo)\b|Get Outlook for\b|Von meinem \w+ gesendet|Gesendet von \w+"
    r"|Envoyé (?:de|depuis) mon\b|Enviado desde mi\b|Inviato da\b|Verzonden vanaf mijn\b|iPhoneから送信|发自我的)"
    r".{0,80}$",
    re.IGNORECASE,
)
_FORWARD_MARK = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)*(?:Fwd?|WG|TR|RV|I|Doorst|VS|ENC|转发|轉寄)\s?[:：]", re.IGNORECASE
)
_LONGEST_LINE = 600  # a longer one is no header of a quoted mail
_HEADER_LINES = 5


def is_forward(subject: str) -> bool:
    """Say whether the subject is that of a forwarded mail, whose quoted part is what the mail is about."""
    return bool(_FORWARD_MARK.match(subject))


def own_text(text: str, *, forwarded: bool) -> str:
    """Return what of `text` was written for this mail; all of `text` if that is nothing.

    Dropped are quoted lines and the line that introduces them, wherever they stand; everything behind the headers of
    an earlier mail (Outlook writes no quote marks) unless it was forwarded; the signature behind "-- ".
    """
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    signature = False
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith(">") and not forwarded:
            at += 1
            continue
        if line and len(line) <= _LONGEST_LINE:
            if not forwarded and _earlier_mail(lines, at):
                break
            introduced = 0 if forwarded else _introduction(lines, at)
            if introduced:
                at += introduced
                signature = False
                continue
            if _FORWARDED.search(line):
                forwarded = True
            if line in ("-- ", "--"):
                signature = not forwarded
        if not signature and not _PHONE.match(line[:_LONGEST_LINE]):
            kept.append(line)
        at += 1
    own = "\n".join(kept).strip("\n")
    return own if own.strip() else text


def _earlier_mail(lines: list[str], at: int) -> bool:
    """Say whether an earlier mail begins here and goes on to the end."""
    line = lines[at]
    if _ORIGINAL.match(line) or _ABOVE_THIS_LINE.match(line):
        return True
    if re.fullmatch(r"_{20,}", line.strip()):
        following = next((index for index in range(at + 1, min(at + 4, len(lines))) if lines[index].strip()), at)
        return following > at and _has_headers(lines, following)
    return _has_headers(lines, at)


def _has_headers(lines: list[str], at: int) -> bool:
    if not _FROM.match(lines[at][:_LONGEST_LINE]):
        return False
    following = [line[:_LONGEST_LINE] for line in lines[at + 1 : at + 1 + _HEADER_LINES * 2] if line.strip()]
    return sum(1 for line in following[:_HEADER_LINES] if _SENT_OR_TO.match(line)) >= 2


def _introduction(lines: list[str], at: int) -> int:
    """Return how many lines from here introduce a quoted mail, 0 if they do not: "On ..., ... wrote:", wrapped or not.

    Words like these without a quote behind them are the sender's own.
    """
    for count in (1, 2, 3):
        if at + count > len(lines) or not lines[at + count - 1].strip():
            return 0
        together = " ".join(line.strip() for line in lines[at : at + count])
        if len(together) <= _LONGEST_LINE and together.endswith((":", "：")) and _WROTE.match(together):
            behind = next((line for line in lines[at + count : at + count + 3] if line.strip()), "")
            return count if behind.lstrip().startswith(">") else 0
    return 0
