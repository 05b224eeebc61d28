require ["variables", "vnd.mtad.mailauth", "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "mail" {
    if spf :helo "fail" { ereject :enhanced "5.7.23" "You are not who you say"; }
}

stage "data" {
    authresults;
    if dmarc "unavailable" { accept; }
    if allof (dmarc "fail", dmarc :policy "reject") { ereject :enhanced "5.7.1" "Your domain asks for this"; }
    if not dkim :domain "client.example" "pass" { ereject :enhanced "5.7.20" "Sign it"; }
}
