"""As people's mail programs write: Outlook, Gmail, Apple Mail, Thunderbird, phones; answers above, below and between."""

# ruff: noqa: E501 - the lines of mails as their programs write them
from __future__ import annotations

import html

from tests.mailtext.corpus.samples import (
    BLOCK,
    BLOCK_TWO,
    CODE,
    LICENSE_ID,
    ONE_ID,
    TWO_ID,
    head,
    in_quoted_printable,
    multipart,
    part,
    quoted,
    sample,
)

WORD = """<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"
xmlns:w="urn:schemas-microsoft-com:office:word"><head><meta name=Generator content="Microsoft Word 15 (filtered medium)">
<style><!--
/* Font Definitions */
@font-face {font-family:Calibri; panose-1:2 15 5 2 2 2 4 3 2 4;}
p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt;}
--></style><!--[if gte mso 9]><xml><o:shapedefaults v:ext="edit" spidmax="1026" /></xml><![endif]--></head>
<body lang=EN-US link="#0563C1" vlink="#954F72" style='word-wrap:break-word'><div class=WordSection1>
"""


def word(text: str) -> str:
    lines = "".join(
        f"<p class=MsoNormal><span style='font-family:\"Courier New\"'>{html.escape(line) or '&nbsp;'}"
        "<o:p></o:p></span></p>\n"
        for line in text.splitlines()
    )
    return f"{WORD}{lines}</div></body></html>\n"


def both(boundary: str, plain: str, rich: str) -> str:
    return multipart(
        boundary,
        part("text/plain; charset=utf-8", plain),
        part("text/html; charset=utf-8", in_quoted_printable(rich), "Content-Transfer-Encoding: quoted-printable"),
    )


sample(
    "plain",
    head("plain") + f"Hello Support,\n\nplease activate:\n\n{BLOCK}\nRegards\nJoe Smith\n",
    requests=[ONE_ID],
    text_has=["Hello Support,", "Joe Smith"],
)

name = "outlook-word-html"
sample(
    name,
    head(
        name,
        'multipart/alternative; boundary="_000_AM0"',
        Thread_Topic="Usage Request",
        X_Mailer="Microsoft Outlook 16.0",
    )
    + both("_000_AM0", f"Hello Support,\n\n{BLOCK}", word(f"Hello Support,\n\n{BLOCK}")),
    requests=[ONE_ID],
    text_has=["Hello Support,"],
    text_lacks=["MsoNormal", "panose", "<"],
)
name = "outlook-html-only"
sample(
    name,
    head(name, "text/html; charset=utf-8") + word(f"Dear Support,\n\n{LICENSE_ID}\n\n{BLOCK}\nRegards"),
    requests=[ONE_ID],
    license_ids=[LICENSE_ID],
    text_has=["Dear Support,\n\nLIC-", " LINES "],
    text_lacks=["Calibri", "&nbsp;"],
)
name = "outlook-answer-above"
sample(
    name,
    head(
        name,
        "text/html; charset=utf-8",
        "In-Reply-To: <reply-1@example.com>",
        Subject="RE: [CL-7K2M9Q4T] Usage Request",
    )
    + word("Thank you, here is the new one.\n\n" + BLOCK).replace(
        "</div></body></html>",
        "<div><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>From:</b> Support"
        " &lt;support@example.com&gt;<br><b>Sent:</b> Monday, November 23, 2026 4:05 PM<br><b>To:</b> Joe Smith<br>"
        f"<b>Subject:</b> [CL-7K2M9Q4T] Usage Request</p></div></div><p class=MsoNormal>Please make a new one.</p></div>{''}"
        "</body></html>",
    ),
    subject="RE: [CL-7K2M9Q4T] Usage Request",
    requests=[ONE_ID],
    text_has=["Please make a new one."],
    own_has=["Thank you, here is the new one.", "CHARIOT USAGE REQUEST BEGIN"],
    own_lacks=["Please make a new one."],
)
name = "outlook-german-answer"
sample(
    name,
    head(name, "text/plain; charset=iso-8859-1", "Content-Transfer-Encoding: 8bit", Subject="AW: Usage Request")
    .replace("\n", "\r\n")
    .encode()
    + (
        f"Guten Tag,\r\n\r\nanbei die Anforderung für unsere Kläranlage.\r\n\r\n{BLOCK}\r\nMit freundlichen Grüßen\r\n\r\n"
        "Von: Support <support@example.com>\r\nGesendet: Montag, 23. November 2026 16:05\r\nAn: Joe Smith\r\n"
        "Betreff: Usage Request\r\n\r\nBitte senden Sie uns den Block.\r\n"
    ).encode("latin-1"),
    subject="AW: Usage Request",
    requests=[ONE_ID],
    text_has=["Kläranlage", "Grüßen"],
    own_lacks=["Bitte senden"],
)
name = "gmail"
sample(
    name,
    head(name, 'multipart/alternative; boundary="000000000000a1b2"')
    + both(
        "000000000000a1b2",
        f"Hi,\n\n{BLOCK}",
        '<div dir="ltr">Hi,<div><br></div><div>' + "<br>".join(BLOCK.splitlines()) + "</div></div>",
    ),
    requests=[ONE_ID],
)
name = "gmail-html-says-more"
sample(
    name,
    head(name, 'multipart/alternative; boundary="a1b2"')
    + both("a1b2", "See the HTML version.", '<div dir="ltr">' + f"{'Dear Support, ' * 30}<pre>{BLOCK}</pre></div>"),
    requests=[ONE_ID],
    text_has=["Dear Support,", "CHARIOT USAGE REQUEST BEGIN"],
)
name = "gmail-answer-above"
sample(
    name,
    head(
        name,
        "text/html; charset=utf-8",
        "References: <first@example.com> <second@example.org>",
        Subject="Re: Usage Request",
    )
    + f'<div dir="ltr">The code is {CODE}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, Nov'
    ' 23, 2026 at 4:05 PM Support &lt;<a href="mailto:support@example.com">support@example.com</a>&gt; wrote:<br></div>'
    '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204)">'
    f"Which License? Is it {LICENSE_ID}?<br>Regards</blockquote></div>\n",
    subject="Re: Usage Request",
    license_ids=[LICENSE_ID],
    deactivation_codes=[CODE],
    text_has=["> Which License?"],
    own_has=[CODE],
    own_lacks=["Which License?", "wrote:"],
)
name = "gmail-forward-inline"
sample(
    name,
    head(name, Subject="Fwd: Usage Request")
    + "See below.\n\n---------- Forwarded message ---------\nFrom: Joe Smith <plant@example.org>\nDate: Mon, Nov 23, 2026"
    f"\nSubject: Usage Request\nTo: <it@example.org>\n\n\n{BLOCK}",
    subject="Fwd: Usage Request",
    requests=[ONE_ID],
    own_has=["See below.", "CHARIOT USAGE REQUEST BEGIN"],
)
name = "apple-mail"
sample(
    name,
    head(name, 'multipart/mixed; boundary="Apple-Mail=_1"', X_Mailer="Apple Mail (2.3774.600.62)")
    + multipart(
        "Apple-Mail=_1",
        part("text/plain;\n\tcharset=us-ascii", "Before the file.\n", "Content-Transfer-Encoding: 7bit"),
        part(
            'text/plain;\n\tx-unix-mode=0644;\n\tname="usage request.txt"',
            BLOCK,
            'Content-Disposition: inline;\n\tfilename="usage request.txt"',
        ),
        part("text/plain;\n\tcharset=us-ascii", "After the file.\n\nSent from my Mac"),
    ),
    requests=[ONE_ID],
    attachments=[["usage request.txt", "request"]],
    text_has=["Before the file.", "After the file."],
)
name = "apple-answer-below"
sample(
    name,
    head(name, Subject="Re: Usage Request")
    + "\n> On 23. Nov 2026, at 16:05, Support <support@example.com> wrote:\n> \n> Please send the request again.\n\n"
    f"Here it is.\n\n{BLOCK}",
    subject="Re: Usage Request",
    requests=[ONE_ID],
    own_has=["Here it is.", "CHARIOT"],
    own_lacks=["Please send the request again."],
)
name = "thunderbird-flowed"
sample(
    name,
    head(name, "text/plain; charset=UTF-8; format=flowed", "User-Agent: Mozilla Thunderbird", Content_Language="en-US")
    + "This is a paragraph that goes on and on until the line is full and \nthen goes on.\n\n"
    f"{BLOCK}\n-- \nJoe Smith\nPlant 7\n",
    requests=[ONE_ID],
    text_has=["full and then goes on."],
    own_lacks=["Plant 7"],
)
name = "thunderbird-flowed-block"
sample(
    name,
    head(name, "text/plain; charset=UTF-8; format=flowed; delsp=yes") + BLOCK.replace("\n", " \n"),
    requests=[ONE_ID],
)
name = "thunderbird-inline-answers"
sample(
    name,
    head(name, Subject="Re: Questions")
    + "On 11/23/26 16:05, Support wrote:\n> Which License?\n\nThe one of plant 7: "
    + f"{LICENSE_ID}\n\n> Was the old server deactivated?\n\nYes: {CODE}\n",
    subject="Re: Questions",
    license_ids=[LICENSE_ID],
    deactivation_codes=[CODE],
    own_has=["The one of plant 7", CODE],
    own_lacks=["Which License?", "Was the old server"],
)
name = "iphone"
sample(
    name,
    head(name, "text/html; charset=utf-8", X_Mailer="iPhone Mail (20H115)")
    + '<html><head><meta http-equiv="content-type" content="text/html; charset=utf-8"></head><body dir="auto"><div>Hi</div>'
    + "".join(f"<div>{line}</div>" for line in BLOCK.splitlines()).replace(
        BLOCK.split()[8],
        f'<a href="tel:{BLOCK.split()[8]}" dir="ltr" x-apple-data-detectors="true">{BLOCK.split()[8]}</a>',
    )
    + '<div><br></div><div dir="ltr">Sent from my iPhone</div></body></html>',
    requests=[ONE_ID],
    text_has=["Sent from my iPhone"],
    own_lacks=["Sent from my iPhone"],
)
name = "android-outlook-tel-links"
lines = BLOCK.splitlines()
sample(
    name,
    head(name)
    + f"Hi\n\n{chr(10).join([lines[0], *(f'{line[:20]}<tel:{line[3:8]}>{line[20:]}' for line in lines[1:-1]), lines[-1]])}\n\n"
    "Get Outlook for Android<https://aka.example.com/ghei36>\n",
    requests=[ONE_ID],
    own_lacks=["Get Outlook for Android"],
)
name = "html-table"
rows = "".join(
    "<tr>" + "".join(f"<td>{word}</td>" for word in line.split(" ")) + "</tr>" for line in BLOCK.splitlines()
)
sample(name, head(name, "text/html; charset=utf-8") + f"<table><tbody>{rows}</tbody></table>", requests=[ONE_ID])
name = "html-two-columns"
sample(
    name,
    head(name, "text/html; charset=utf-8")
    + f"<table><tr><td>{BLOCK.replace(chr(10), '<br>')}</td><td>Acme Water<br>Plant 7<br>01 555 0100</td></tr></table>",
    requests=[ONE_ID],
    text_has=["Plant 7"],
)
name = "html-pre"
sample(
    name,
    head(name, "text/html; charset=utf-8") + f"<p>Request:</p><pre>{BLOCK}</pre>",
    requests=[ONE_ID],
    text_has=["Request:\n\nCHARIOT USAGE REQUEST BEGIN"],
)
name = "html-no-charset-meta"
sample(
    name,
    head(name, "text/html").replace("\n", "\r\n").encode()
    + f'<html><head><meta charset="windows-1252"></head><body>Kläranlage<br>{BLOCK}</body></html>'.encode("cp1252"),
    requests=[ONE_ID],
    text_has=["Kläranlage"],
)
name = "html-hidden-words"
sample(
    name,
    head(name, "text/html; charset=utf-8")
    + '<div style="display:none;max-height:0">Preview of the newsletter</div><script>var CHARIOT=1</script><p>Seen</p>'
    f'<span style="font-size:0px">white words</span><!-- a remark --><div>{BLOCK.replace(chr(10), "<br>")}</div>',
    requests=[ONE_ID],
    text_has=["Seen"],
    text_lacks=["Preview", "var ", "white words", "a remark"],
)
name = "html-hidden-block"
sample(
    name,
    head(name, "text/html; charset=utf-8")
    + f'<p>Please activate:</p><div>{BLOCK.replace(chr(10), "<br>")}</div><div style="display: none">{BLOCK_TWO}</div>',
    requests=[ONE_ID],
    problems=["hides a Usage Request"],
)
name = "two-requests"
sample(name, head(name) + f"First:\n\n{BLOCK}\nSecond:\n\n{BLOCK_TWO}\n", requests=[ONE_ID, TWO_ID])
name = "one-request-twice"
sample(name, head(name) + f"{BLOCK}\n\nand again\n\n{quoted(BLOCK)}", requests=[ONE_ID])
name = "truncated-block"
sample(name, head(name) + "\n".join(BLOCK.splitlines()[:8]) + "\n", text_has=["CHARIOT USAGE REQUEST BEGIN"])
name = "two-lines-lost"
sample(name, head(name) + "\n".join(BLOCK.splitlines()[:5] + BLOCK.splitlines()[7:]), requests=[ONE_ID])
name = "wrapped-and-quoted"
sample(name, head(name) + "".join(f"> {line[:40]}\n> {line[40:]}\n" for line in BLOCK.splitlines()), requests=[ONE_ID])
name = "code-by-telephone"
sample(
    name,
    head(name, Subject=f"Deactivation {LICENSE_ID}")
    + f"Taken down by telephone:\n\n{CODE.lower().replace('0', 'o').replace('1', 'l').replace('-', ' ')}\n",
    subject=f"Deactivation {LICENSE_ID}",
    license_ids=[LICENSE_ID],
    deactivation_codes=[CODE],
)
name = "no-request"
sample(
    name,
    head(name, Subject="Question") + "How long does an activation take?\n",
    subject="Question",
    text_has=["How long"],
)
name = "plain-and-html-differ"
sample(
    name,
    head(name, 'multipart/alternative; boundary="d"') + both("d", BLOCK, f"<pre>{BLOCK_TWO}</pre>"),
    requests=[ONE_ID, TWO_ID],
    problems=["hold different Usage Requests"],
)
