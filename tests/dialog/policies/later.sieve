require ["envelope", "vnd.mtad.stage", "vnd.mtad.queue", "vnd.mtad.envelope"];

stage "data" {
    addrcpt "later@example.net";
    if exists "x-later" { queue :after 7200; }
}
stage "deliver" {
    if envelope :localpart "to" "later" { queue :after 300; }
    if envelope :localpart "to" "queued" { queue; }
}
