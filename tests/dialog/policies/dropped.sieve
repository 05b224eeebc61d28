require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "rcpt" {
    if envelope "to" "trap@example.net" { discard; }
    if envelope "to" "old@example.net" { setrcpt "trap@example.net"; }
    if envelope "to" "staff@example.net" { setrcpt "ann@example.net"; }
    if envelope "to" "ann@example.net" { ereject :code 550 :enhanced "5.7.1" "Write to staff"; }
}
