require ["envelope", "ereject", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "connect" { if ip "198.51.100.0/24" { accept :relay; } }
stage "data" {
    foreachrcpt {
        if envelope :localpart "to" "no" { ereject "Not for me"; }
        if envelope :localpart "to" "later" { tempfail "Greylisted"; }
    }
    addrcpt :hidden "archive@example.net";
    discard;
}
