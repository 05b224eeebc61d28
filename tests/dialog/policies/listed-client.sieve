require ["variables", "environment", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.dns"];

stage "connect" {
    if dnsbl :txt "why" :matches ["list.example", "other.example"] "127.0.0.*" {
        ereject "Listed: ${why}";
    }
}

stage "mail" {
    if not iprev "pass" { tempfail "Your address has no name"; }
}

stage "rcpt" {
    if not dns :matches "mx" "client.example" "*" { ereject :enhanced "5.1.8" "Sender domain has no MX"; }
}
