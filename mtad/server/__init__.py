"""SMTP in: sessions, the content of messages, and what becomes of them before the client hears its reply."""
