require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope"];

stage "mail" { setsender :srs "fwd.example"; }
stage "rcpt" {
    if envelope :domain "to" "fwd.example" {
        if not srs :into "sender" "${envelope.to}" { ereject :enhanced "5.1.1" "No such address, or an old one"; }
        setrcpt "${sender}";
    }
    if envelope "to" "ann@example.net" { redirect "ann@elsewhere.example"; }
}
