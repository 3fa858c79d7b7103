"""Mail servers: fetching by IMAP and sending by SMTP. What is fetched and sent decides `services.post`."""
