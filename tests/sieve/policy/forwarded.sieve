require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope", "vnd.mtad.service", "vnd.mtad.sign", "spamtest", "envelope", "variables"];
stage "mail" { setsender :srs "here.example"; }
stage "rcpt" {
    if srs :into "back" "${envelope.to}" { accept :text "${back}"; }
    if srs "${envelope.to}" { ereject "cannot be"; }
    if policy :attr ["colour=${envelope.to.localpart}", "a_b="] "grey" "defer" { tempfail "grey"; }
    accept :text "nobody's";
}
stage "data" {
    foreachrcpt { if policy "grey" "defer" { tempfail "grey"; } }
    sign :domain "here.example" :headers ["From", "X-Note"];
    if spamtest "0" { accept :text "untested"; }
}
