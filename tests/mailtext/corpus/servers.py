"""What programs send or add on the way: bounces, absences, lists, ticket systems, gateways."""

# ruff: noqa: E501 - the lines of mails as their programs write them
from __future__ import annotations

from tests.mailtext.corpus.clients import both
from tests.mailtext.corpus.samples import (
    BLOCK,
    BLOCK_TWO,
    CODE,
    LICENSE_ID,
    ONE_ID,
    head,
    in_base64,
    in_quoted_printable,
    multipart,
    part,
    quoted,
    sample,
)

OUR_MAIL = (
    "From: Support <support@example.com>\nTo: plant@example.org\nSubject: [CL-7K2M9Q4T] Usage License\n"
    "Message-ID: <answer-1@example.com>\n\nHere is your Usage License.\n" + BLOCK_TWO
)


def bounce(  # noqa: PLR0917 - the parts of a bounce in the order in which they stand in it
    name: str, sender: str, subject: str, words: str, status: str, returned: str, *more: str, **expected: object
) -> None:
    shown, _, address = sender.rpartition(" ")
    sample(
        name,
        head(
            name,
            'multipart/report; report-type=delivery-status;\n\tboundary="B/1"',
            *more,
            From=sender,
            Subject=subject,
        )
        + multipart(
            "B/1", part("text/plain; charset=us-ascii", words), part("message/delivery-status", status), returned
        ),
        sender=[shown.strip('"'), address.strip("<>")],
        subject=subject,
        automatic=True,
        **expected,
    )


bounce(
    "bounce-postfix",
    "Mail Delivery System <MAILER-DAEMON@mail.example.com>",
    "Undelivered Mail Returned to Sender",
    "This is the mail system at host mail.example.com.\n\nI'm sorry to have to inform you that your message could not\n"
    "be delivered to one or more recipients.\n",
    "Reporting-MTA: dns; mail.example.com\nX-Postfix-Queue-ID: 4Sg\nArrival-Date: Tue, 24 Nov 2026 09:12:33 +0100 (CET)\n\n"
    "Final-Recipient: rfc822; plant@example.org\nOriginal-Recipient: rfc822;plant@example.org\nAction: failed\n"
    "Status: 5.1.1\nRemote-MTA: dns; mx.example.org\nDiagnostic-Code: smtp; 550 5.1.1 <plant@example.org>: Recipient\n"
    "    address rejected: User unknown\n",
    part("message/rfc822", OUR_MAIL, "Content-Description: Undelivered Message"),
    "Auto-Submitted: auto-replied",
    bounces=[["plant@example.org", "failed", "5.1.1", "answer-1@example.com"]],
    attachments=[["part-1.txt", "text"], ["returned-mail.eml", "mail"]],
    text_has=["could not\nbe delivered"],
)
bounce(
    "bounce-exchange",
    "Microsoft Outlook <postmaster@example.com>",
    "Undeliverable: Usage License",
    "Delivery has failed to these recipients or groups:\n\nJoe Smith (plant@example.org)\n",
    "Reporting-MTA: dns;AM0PR01MB.example.com\nReceived-From-MTA: dns;mail.example.com\n\n"
    "Final-Recipient: rfc822;plant@Example.org\nAction: failed\nStatus: 5.1.10\n"
    "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\n"
    "X-Display-Name: Joe Smith\n",
    part("message/rfc822", OUR_MAIL),
    bounces=[["plant@example.org", "failed", "5.1.10", "answer-1@example.com"]],
    attachments=[["part-1.txt", "text"], ["returned-mail.eml", "mail"]],
)
bounce(
    "bounce-exim",
    "Mail Delivery System <Mailer-Daemon@mail.example.com>",
    "Mail delivery failed: returning message to sender",
    "This message was created automatically by mail delivery software.\n",
    "Reporting-MTA: dns; mail.example.com\n\nAction: failed\nFinal-Recipient: rfc822;plant@example.org\nStatus: 5.0.0\n"
    "Remote-MTA: dns; mx.example.org\nDiagnostic-Code: smtp; 554 5.7.1 Service refused\n",
    part("text/rfc822-headers", OUR_MAIL.split("\n\n")[0]),
    "X-Failed-Recipients: plant@example.org",
    "Auto-Submitted: auto-replied",
    bounces=[["plant@example.org", "failed", "5.0.0", "answer-1@example.com"]],
    attachments=[["part-1.txt", "text"], ["part-2.txt", "text"]],
)
bounce(
    "bounce-gmail",
    "Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
    "Delivery Status Notification (Failure)",
    "** Address not found **\n\nYour message wasn't delivered to plant@example.org because the address couldn't be found.\n",
    "Reporting-MTA: dns; googlemail.example\nX-Original-Message-ID: <answer-1@example.com>\n\n"
    "Final-Recipient: rfc822; plant@example.org\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n"
    "Last-Attempt-Date: Tue, 24 Nov 2026 00:12:34 -0800 (PST)\n",
    part(
        "image/gif; name=icon.gif",
        "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
        "Content-Transfer-Encoding: base64",
    ),
    "X-Failed-Recipients: plant@example.org",
    bounces=[["plant@example.org", "failed", "5.1.1", "answer-1@example.com"]],
    attachments=[["part-1.txt", "text"], ["icon.gif", "image"]],
)
bounce(
    "bounce-delayed",
    "Mail Delivery System <MAILER-DAEMON@mail.example.com>",
    "Delayed Mail (still being retried)",
    "Your message could not be delivered for more than 4 hours. It will be retried until it is 5 days old.\n",
    "Reporting-MTA: dns; mail.example.com\n\nFinal-Recipient: rfc822; a@example.org\nAction: delayed\nStatus: 4.4.1\n\n"
    "Final-Recipient: rfc822; b@example.org\nAction: delayed\nStatus: 4.2.2\nWill-Retry-Until: Sun, 29 Nov 2026 09:12:33 +0100\n",
    part("text/rfc822-headers", OUR_MAIL.split("\n\n")[0]),
    bounces=[
        ["a@example.org", "delayed", "4.4.1", "answer-1@example.com"],
        ["b@example.org", "delayed", "4.2.2", "answer-1@example.com"],
    ],
    attachments=[["part-1.txt", "text"], ["part-2.txt", "text"]],
)
name = "bounce-exim-without-report"
sample(
    name,
    head(
        name,
        From="Mail Delivery System <Mailer-Daemon@mail.example.com>",
        X_Failed_Recipients="plant@example.org",
        Subject="Mail delivery failed",
    )
    + "A message that you sent could not be delivered to one or more of its recipients.\n\n  plant@example.org\n"
    "    SMTP error from remote mail server after RCPT TO:<plant@example.org>:\n    550 5.1.1 User unknown\n\n"
    "------ This is a copy of the message's headers. ------\n",
    sender=["Mail Delivery System", "Mailer-Daemon@mail.example.com"],
    subject="Mail delivery failed",
    automatic=True,
    bounces=[["plant@example.org", "failed", "5.1.1", ""]],
)
name = "absence-outlook"
sample(
    name,
    head(
        name,
        "text/plain; charset=utf-8",
        "Auto-Submitted: auto-generated",
        X_Auto_Response_Suppress="All",
        Subject="Automatic reply: Usage License",
    )
    + "I am out of the office until Monday.\n",
    subject="Automatic reply: Usage License",
    automatic=True,
)
name = "absence-by-subject-only"
sample(
    name,
    head(name, Subject="Out of office: Usage License") + "Back on Monday.\n",
    subject="Out of office: Usage License",
    automatic=True,
)
name = "absence-vacation"
sample(
    name,
    head(name, "text/plain", "Auto-Submitted: auto-replied (vacation)", "Precedence: bulk", Subject="away") + "Away.\n",
    subject="away",
    automatic=True,
)
name = "auto-submitted-no"
sample(name, head(name, "text/plain", "Auto-Submitted: no") + BLOCK, requests=[ONE_ID])
name = "read-receipt"
sample(
    name,
    head(name, 'multipart/report; report-type=disposition-notification; boundary="r"', Subject="Read: Usage License")
    + multipart(
        "r",
        part("text/plain", "Your message was read."),
        part(
            "message/disposition-notification",
            "Final-Recipient: rfc822; plant@example.org\nDisposition: manual-action/MDN-sent-manually; displayed\n",
        ),
    ),
    subject="Read: Usage License",
    automatic=True,
    attachments=[["part-1", "text"]],
)
name = "mailing-list"
sample(
    name,
    head(
        name,
        'multipart/mixed; boundary="l"',
        "Precedence: list",
        "List-Id: <scada.example.org>",
        Subject="[scada] Usage Request",
    )
    + multipart(
        "l",
        part("text/plain; charset=us-ascii", BLOCK),
        part("text/plain; charset=us-ascii", "_______________________________________________\nscada mailing list\n"),
    ),
    subject="[scada] Usage Request",
    requests=[ONE_ID],
    automatic=True,
    text_has=["scada mailing list"],
)
name = "list-footer-behind-base64"
sample(
    name,
    head(name, "text/plain; charset=utf-8", "Content-Transfer-Encoding: base64")
    + in_base64(BLOCK + "x")
    + "\n-- \nscada mailing list: see https://lists.example.org/scada\n",
    requests=[ONE_ID],
    problems=["damaged on its way"],
    text_has=["scada mailing list"],
)
name = "ticket-zendesk"
sample(
    name,
    head(
        name,
        "text/plain; charset=utf-8",
        Subject="Re: [Acme Water] Re: Usage Request",
        From="Acme Water IT <it@acme.example>",
    )
    + f"##- Please type your reply above this line -##\n\nYour request (48213) has been updated.\n\nJoe Smith (Acme Water)\n\n{BLOCK}",
    sender=["Acme Water IT", "it@acme.example"],
    subject="Re: [Acme Water] Re: Usage Request",
    requests=[ONE_ID],
    own_has=["Your request (48213)"],
)
name = "ticket-jira"
sample(
    name,
    head(
        name,
        "text/html; charset=utf-8",
        "Precedence: bulk",
        Subject="[JIRA] (OPS-214) Activate Chariot",
        From='"Joe Smith (JIRA)" <jira@acme.example>',
    )
    + f"<table><tr><td><b>Joe Smith</b> commented on OPS-214</td></tr><tr><td><pre>{{noformat}}\n{BLOCK}{{noformat}}</pre></td></tr></table>",
    sender=["Joe Smith (JIRA)", "jira@acme.example"],
    subject="[JIRA] (OPS-214) Activate Chariot",
    requests=[ONE_ID],
    automatic=True,
    text_has=["commented on OPS-214"],
)
name = "gateway-banner"
banner = "CAUTION: EXTERNAL EMAIL. Do not click links or open attachments unless you know the sender."
sample(
    name,
    head(name, 'multipart/alternative; boundary="g"', Subject="[EXTERNAL] Usage Request")
    + both("g", f"{banner}\n\n{BLOCK}", f'<div style="background:#ffeb9c">{banner}</div><br><pre>{BLOCK}</pre>'),
    subject="[EXTERNAL] Usage Request",
    requests=[ONE_ID],
    text_has=[banner],
)
name = "gateway-safelinks"
link = "https://nam02.safelinks.protection.outlook.example/?url=http%3A%2F%2Fmqtt-01.plant.example%2F&data=05%7C01%7Cplant%7C3f2504e0"
sample(
    name,
    head(name, 'multipart/alternative; boundary="g"')
    + both(
        "g",
        f"From http://mqtt-01.plant.example<{link}>:\n\n{BLOCK}",
        f'<p>From <a href="{link}" originalsrc="http://mqtt-01">mqtt-01</a>:</p><pre>{BLOCK}</pre>',
    ),
    requests=[ONE_ID],
)
name = "gateway-urldefense-in-block"
lines = BLOCK.splitlines()
sample(
    name,
    head(name)
    + "\n".join([*lines[:4], f"{lines[4]} <https://urldefense.example/v3/__http:/mqtt-01__;!!AbC!xyz$>", *lines[5:]]),
    requests=[ONE_ID],
)
name = "gateway-requoted-printable"
sample(
    name,
    head(name, "text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable")
    + in_quoted_printable(in_quoted_printable(BLOCK)),
    requests=[ONE_ID],
)
name = "gateway-disclaimer"
sample(
    name,
    head(name)
    + f"{BLOCK}\n\n"
    + "This e-mail and its attachments are confidential and for the addressee only. " * 8
    + "\nAcme Water, 12 34567, VAT 01 234567 890\n",
    requests=[ONE_ID],
    text_has=["confidential"],
)
name = "quoted-three-deep"
sample(
    name,
    head(name, Subject="Re: AW: Re: Usage Request")
    + "See at the bottom.\n\n"
    + quoted(f"On Monday Joe Smith wrote:\n{quoted(quoted(BLOCK))}"),
    subject="Re: AW: Re: Usage Request",
    requests=[ONE_ID],
    own_has=["See at the bottom."],
    own_lacks=["BEGIN"],
)
name = "code-in-answer-to-quoted-request"
sample(
    name,
    head(name, Subject=f"Re: {LICENSE_ID}")
    + f"Code: {CODE}\n\nOn Tue, Nov 24, 2026 Support\n<support@example.com> wrote:\n{quoted(BLOCK)}",
    subject=f"Re: {LICENSE_ID}",
    requests=[ONE_ID],
    license_ids=[LICENSE_ID],
    deactivation_codes=[CODE],
    own_has=[CODE],
    own_lacks=["BEGIN", "wrote:"],
)
