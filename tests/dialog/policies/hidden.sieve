require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "connect" { if ip "198.51.100.0/24" { accept :relay; } }
stage "rcpt" {
    if envelope :localpart "to" "trap" { delrcpt; addrcpt :hidden "archive@example.net"; }
    if envelope :localpart "to" "watched" { delrcpt; addrcpt :hidden "archive@example.net"; addrcpt "ann@example.net"; }
    if envelope :localpart "to" "two" { addrcpt "ann@example.net"; }
}
stage "data" {
    if header :is "subject" "spam" { addrcpt :hidden "archive@example.net"; discard; }
    if header :is "subject" "list" { foreachrcpt { delrcpt; } addrcpt :hidden "archive@example.net"; }
}
