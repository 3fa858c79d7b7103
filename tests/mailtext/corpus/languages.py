"""Other languages and charsets, and charsets that are not what the mail says."""

# ruff: noqa: RUF001 - letters of other scripts

from __future__ import annotations

from email.header import Header

from tests.mailtext.corpus.samples import BLOCK, CODE, LICENSE_ID, ONE_ID, head, in_base64, quoted, sample


def encoded(
    name: str, charset: str, prose: str, subject: str, *, called: str = "", problems: tuple[str, ...] = ()
) -> None:
    """A mail with prose of one language around the block, its subject in encoded words."""
    field = Header(subject, charset).encode(linesep="\n") if charset else subject
    top = head(name, f"text/plain; charset={called or charset}", "Content-Transfer-Encoding: 8bit", Subject=field)
    body = f"{prose}\n\n{BLOCK}\n{prose}\n".replace("\n", "\r\n").encode(charset)
    sample(
        name,
        top.replace("\n", "\r\n").encode() + body,
        subject=subject,
        requests=[ONE_ID],
        text_has=[prose],
        problems=list(problems),
    )


encoded("japanese-iso-2022-jp", "iso-2022-jp", "お世話になっております。ライセンス要求を送ります。", "ライセンス要求")
encoded("japanese-shift-jis", "shift_jis", "ライセンス要求を送ります。", "ライセンス要求")
encoded("chinese-gb18030", "gb18030", "您好，请激活许可证。谢谢。", "使用请求")
encoded("chinese-gbk-called-gb2312", "gbk", "您好，請激活許可證。", "使用請求", called="gb2312")
encoded("chinese-big5", "big5", "您好，請啟用授權。謝謝。", "使用請求")
encoded("korean-euc-kr", "euc-kr", "안녕하세요. 라이선스를 활성화해 주세요.", "사용 요청", called="ks_c_5601-1987")
encoded("russian-koi8-r", "koi8-r", "Здравствуйте! Отправляю запрос на лицензию.", "Запрос")
encoded("turkish-iso-8859-9", "iso-8859-9", "İyi günler, lisans isteğini gönderiyorum.", "Lisans isteği")
encoded(
    "latin-1-called-utf-8", "latin-1", "Anforderung für die Kläranlage, schöne Grüße", "Anforderung für", called="utf-8"
)
encoded(
    "utf-8-called-latin-1",
    "utf-8",
    "Anforderung für die Kläranlage, schöne Grüße",
    "Anforderung für",
    called="iso-8859-1",
)
encoded("utf-8-called-ascii", "utf-8", "Demande d’activation, voilà", "Demande d’activation", called="us-ascii")
encoded(
    "unknown-charset",
    "utf-8",
    "Anforderung für die Kläranlage",
    "Anforderung",
    called="x-unknown-9",
    problems=("not in the character set",),
)
encoded("utf-16", "utf-16", "Anforderung für die Kläranlage", "Anforderung")

name = "arabic-right-to-left"
prose = "\u200fمرحبا، أرسل إليكم طلب الترخيص\u200f \u202bشكرا\u202c"
sample(
    name,
    head(
        name,
        "text/plain; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        Subject=Header("طلب الترخيص", "utf-8").encode(),
    )
    + in_base64(f"{prose}\n\n" + "".join(f"\u202a{line}\u202c\n" for line in BLOCK.splitlines())),
    subject="طلب الترخيص",
    requests=[ONE_ID],
    text_has=["مرحبا، أرسل إليكم طلب الترخيص"],
    text_lacks=["\u202a", "\u202b", "\u202c"],
)
name = "hebrew-windows-1255"
sample(
    name,
    head(name, "text/plain; charset=windows-1255", "Content-Transfer-Encoding: 8bit").replace("\n", "\r\n").encode()
    + f"שלום, הקוד הוא {CODE} עבור {LICENSE_ID}\r\n".encode("cp1255"),
    license_ids=[LICENSE_ID],
    deactivation_codes=[CODE],
    text_has=["שלום"],
)
name = "hebrew-html-rtl"
sample(
    name,
    head(name, "text/html; charset=utf-8") + f'<div dir="rtl">שלום&rlm;<br>{BLOCK.replace(chr(10), "&lrm;<br>")}</div>',
    requests=[ONE_ID],
    text_has=["שלום"],
)
name = "subject-turns-direction"
sample(
    name,
    head(name, Subject=Header("Invoice \u202egpj.exe", "utf-8").encode()) + "Hello\n",
    subject="Invoice gpj.exe",
)
name = "names-in-encoded-words"
sample(
    name,
    head(
        name,
        From="=?utf-8?Q?M=C3=BCller=2C_Joe?= <Joe.Mueller@Dairy.EXAMPLE>",
        Subject="=?utf-8?B?w4RuZGVydW5nIGRlciBMaXplbno=?=",
    )
    + "Hello\n",
    sender=["Müller, Joe", "Joe.Mueller@dairy.example"],
    subject="Änderung der Lizenz",
)
name = "encoded-word-split-in-a-letter"
sample(
    name,
    head(name, Subject="=?utf-8?B?S2zDpHJhbmxhZ2UgZsO8ciBHcsO8w58=?=\n =?utf-8?B?ZQ==?=") + "Hello\n",
    subject="Kläranlage für Grüße",
)
name = "eight-bit-subject"
sample(
    name,
    head(name, Subject="Kläranlage").replace("\n", "\r\n").encode("latin-1") + b"Hello\r\n",
    subject="Kläranlage",
)
name = "idn-sender"
sample(
    name,
    head(name, From="Joe Smith <plant@kläranlage.example>") + "Hello\n",
    sender=["Joe Smith", "plant@xn--klranlage-w2a.example"],
)
for name, line in {
    "french-answer": "Le lun. 23 nov. 2026 à 16:05, Support <support@example.com> a écrit :",
    "spanish-answer": "El lun, 23 nov 2026 a las 16:05, Support (<support@example.com>) escribió:",
    "polish-answer": "W dniu 23.11.2026 o 16:05, Support pisze i napisał:",
    "japanese-answer": "2026年11月23日(月) 16:05 Support <support@example.com>のメール:",
    "chinese-answer": "Support <support@example.com> 于2026年11月23日周一 16:05写道：",
}.items():
    sample(
        name,
        head(name, "text/plain; charset=utf-8", Subject="Re: Usage Request")
        + f"{LICENSE_ID}\n\n{line}\n\n{quoted('Which License?')}",
        subject="Re: Usage Request",
        license_ids=[LICENSE_ID],
        own_has=[LICENSE_ID],
        own_lacks=["Which License?", line],
    )
for name, charset, subject in (
    ("raw-subject-gbk", "gbk", "使用请求"),
    ("raw-subject-iso-2022-jp", "iso-2022-jp", "ライセンス要求"),
):
    top = head(name, f"text/plain; charset={charset}", Subject=subject, From=f"{subject} <plant@example.org>")
    sample(name, top.encode(charset) + b"Hello\n", subject=subject, sender=[subject, "plant@example.org"])
