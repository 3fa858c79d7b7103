"""The post room: mails kept, joined to conversations, answered, and sent. No mail decides anything (docs/mail.md)."""
