require ["envelope", "ereject", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "connect" { if ip "198.51.100.0/24" { accept :relay; } }
stage "data" {
    foreachrcpt {
        if envelope :localpart "to" "no" { ereject "Not for me"; }
        if envelope :localpart "to" "later" { tempfail "Greylisted"; }
        if envelope :localpart "to" "away" { redirect "deputy@example.net"; }
    }
    addrcpt :hidden "archive@example.net";
    discard;
}
