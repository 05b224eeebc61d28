require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup", "vnd.mtad.dns", "extlists", "variables", "envelope", "environment"];
stage "connect" {
    if dnsbl "list.example" "127.0.0.2" { ereject "listed"; }
    if not iprev "pass" { tempfail "no name"; }
}
stage "mail" {
    if envelope :list "from" "map:blocked" { ereject "blocked"; }
    if not dns :matches "mx" "${envelope.from.domain}" "*" { ereject "no mx"; }
}
stage "rcpt" {
    if envelope :matches "to" "*" {
        if not lookup :into "box" "map:users" "${1}" { ereject :enhanced "5.1.1" "unknown"; }
        accept :text "${box}";
    }
}
