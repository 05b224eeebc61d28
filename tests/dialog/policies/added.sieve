require ["envelope", "copy", "variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "connect" { if ip "198.51.100.0/24" { accept :relay; } }
stage "rcpt" {
    if envelope :localpart "to" "team" {
        delrcpt;
        addrcpt "ann@example.net";
        addrcpt "bob@example.net";
    }
    if envelope :localpart "to" "moved" { redirect "new@elsewhere.example"; }
    if envelope :localpart "to" "relay" { redirect :copy "${envelope.to}"; discard; }
    if envelope :localpart "to" "copied" { redirect :copy "copy@example.net"; }
}
stage "data" {
    foreachrcpt { if envelope :localpart "to" "no" { ereject "Not for me"; } }
    addrcpt :hidden "archive@example.net";
    if header :contains "subject" "to one" { redirect "one@example.net"; }
    foreachrcpt {
        if envelope :localpart "to" "away" { redirect "deputy@example.net"; }
        if envelope :localpart "to" "both" { redirect "deputy@example.net"; keep; }
        if envelope :localpart "to" "gone" { delrcpt; }
    }
}
