require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.sign", "vnd.mtad.queue", "envelope", "envelope-dsn", "environment"];
stage "mail" { if envelope "ret" "FULL" { ereject "not so much"; } if envelope :matches "envid" "QQ*" { accept :text "known"; } }
stage "rcpt" {
    if envelope "notify" "SUCCESS" { ereject "nobody is told"; }
    if envelope :contains "orcpt" "old@" { accept :text "moved"; }
}
stage "data" {
    sign :domain "here.example" :selector "s2";
    if header :contains "subject" "odd" { hold :reason "looks odd"; }
    if header :contains "subject" "virus" { quarantine "viruses"; }
    if header :contains "subject" "later" { queue; }
    if header :contains "subject" "bulk" { queue :name "bulk" :priority 2; }
}
stage "deliver" { if envelope :domain "to" "slow.example" { queue :name "slow"; } }
stage "queue" {
    if outcome :contains "text" "quota" { bounce :enhanced "5.2.2" "full for good"; }
    if environment "vnd.mtad.queue-name" "slow" { defer :after 7200 "slow today"; }
    if outcome "class" "connect" { retry :intervals ["60"]; }
}
