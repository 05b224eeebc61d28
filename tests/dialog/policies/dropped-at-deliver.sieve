require ["envelope", "copy", "ereject", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "connect" { if ip "198.51.100.0/24" { accept :relay; } }

stage "rcpt" {
    if envelope "to" "alias@example.net" { setrcpt "trap@example.net"; }
    if envelope "to" "list@example.net" { addrcpt "ann@example.net"; addrcpt "trap@example.net"; }
    if envelope "to" "moved@example.net" { redirect "trap@example.net"; }
}

stage "data" {
    if header :is "subject" "elsewhere" {
        foreachrcpt { if envelope "to" "no@example.net" { ereject "Not here"; } }
        redirect "trap@example.net";
    }
}

stage "deliver" { if envelope "to" "trap@example.net" { discard; } }
