require ["envelope", "vnd.mtad.stage", "vnd.mtad.queue", "vnd.mtad.envelope"];

stage "data" {
    addrcpt "later@example.net";
    if exists "x-later" { queue :after 7200; queue :priority 1; queue :name "all"; }
}
stage "deliver" {
    if envelope :localpart "to" "later" { queue :after 300; queue :priority 4; queue :name "late"; }
    if envelope :localpart "to" "queued" { queue; queue :priority 3; }
    if envelope :localpart "to" "one" { queue :priority 9; queue :name "gone"; }
}
