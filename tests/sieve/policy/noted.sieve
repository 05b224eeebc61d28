require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup", "vnd.mtad.log", "envelope", "extlists", "variables"];
map :kept "writes-to";
stage "rcpt" {
    if envelope :domain "from" "here.example" {
        mapset :expire 60 "map:writes-to" "${envelope.to} ${envelope.from}" "by rcpt";
        accept :text "noted";
    }
    if envelope :localpart "from" "long" {
        mapset "map:writes-to" "ann@there.example ann@here.example" "${envelope.from}${envelope.from}${envelope.from}${envelope.from}";
    }
    if lookup :into "by" "map:writes-to" "${envelope.from} ${envelope.to}" { accept :text "an answer, ${by}"; }
}
stage "data" {
    mapset :onerror "continue" "map:writes-to" "a" "${envelope.from}";
    if string :list "A" "map:writes-to" { accept :text "known"; }
}
