require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.envelope", "vnd.mtad.score", "vnd.mtad.sign", "vnd.mtad.queue",
         "vnd.mtad.dns", "vnd.mtad.lookup", "vnd.mtad.log", "extlists", "variables", "envelope", "environment", "body",
         "foreverypart", "subaddress", "relational",
         "comparator-i;ascii-numeric"];

separators "_";
map "given" ["ann@here.example box", "@all.example all"];
map :cidr "near" ["192.0.2.0/24 yes"];
map :regexp "odd" ["/^odd/ yes"];

stage "connect" {
    if valid_ext_list ["map:given", "map:near"] { delay 1; }
    if anyof (valid_ext_list ["map:given", "map:nowhere"], valid_ext_list "given") { ereject "no such list"; }
    if dns "ptr" "${env.remote_ip}" "mail.here.example" { accept :text "known ${score}"; }
    if dnsbl :name "listed.example" :txt "why" "list.example" "127.0.0.2" { ereject :code 504 :enhanced "5.5.4" "${why}"; }
    if not dns "mx" "" "*" { log :level "debug" "nobody"; }
}
stage "ehlo" {
    score "${env.helo}" "HELO";
    if score "gt" "${env.helo}" { ereject "cannot be"; }
    accept :text "${score}";
}
stage "mail" {
    if envelope :domain "from" "angle.example" { setsender "<a@here.example>"; }
    elsif envelope :domain "from" "none.example" { setsender "<>"; }
    elsif envelope :domain "from" "held.example" { setsender "${env.helo}"; }
    elsif envelope :domain "from" "bad.example" { ereject "no"; }
    elsif envelope :domain "from" "odd.example" { tempfail :log "${env.helo}" "not now"; }
    elsif envelope :domain "from" "trial.example" { monitor "a" { ereject "a"; } monitor "b" { stop; } ereject "b"; }
    if envelope :localpart "from" "tried" { monitor "c" { ereject "c"; } accept :text "after a trial"; }
    if envelope :user "from" "trial" { accept :text "after the trial"; }
}
stage "rcpt" {
    if envelope :domain "to" "set.example" { setrcpt "${env.helo}"; }
    if envelope :domain "to" "box.example" { setrcpt "<box@here.example>"; }
    if envelope :localpart "to" "away" { redirect "<home@here.example>"; }
    if envelope :localpart "to" "afar" { redirect "${env.helo}"; }
    if envelope :localpart "to" "more" { addrcpt "${env.helo}"; addrcpt "<all@here.example>"; delrcpt; }
    if envelope :domain "to" "gone.example" { discard :rcpt; ereject "not reached"; }
    if envelope :detail "to" "detail" { accept :text "with detail"; }
    if lookup :into "v" "map:given" "${envelope.to}" { accept :text "${v}"; }
    if string :list "${envelope.to.localpart}" "map:odd" { accept :text "odd"; }
    if envelope :domain "to" "valid.example" { if not validrcpt { ereject "unknown"; } }
    if lookup :is "map:given" "ann@here.example" "nothing" { ereject "cannot be"; }
}
stage "data" {
    set "of" "";
    foreachrcpt {
        if envelope :localpart "to" "last" { break; }
        if envelope :localpart "to" "no" { ereject "no"; }
        if envelope :localpart "to" "left" { delrcpt; }
        set "rcpt.of" "${envelope.from} ${envelope.to}";
        if dns :matches "mx" "${envelope.to.domain}" "*" { break; }
        set "of" "${of} ${envelope.to.localpart}";
    }
    foreachrcpt { if envelope :localpart "to" "never" { stop; } }
    foreachrcpt { if envelope "from" "one@here.example" { set "of" "${of}!"; } }
    if envelope :comparator "i;ascii-numeric" :count "eq" "to" "2" { set "of" "${of}+"; }
    if envelope :localpart "from" "later" { sign :domain "${envelope.from.domain}" :selector "s9"; }
    elsif envelope :localpart "from" "kim" { sign :domain "kim.example" :selector "${env.listener}"; }
    else { sign :domain "${envelope.from.domain}" :selector "${env.listener}"; }
    if string :matches "${of}" "*two*" { accept :text "${of}"; }
    if envelope :localpart "from" "later" { queue :after 60; }
    quarantine :reason "${of}" "rest";
}
stage "deliver" {
    if envelope :localpart "to" "gone" { queue :after 1; }
    if envelope :localpart "to" "urgent" { queue :priority 2; }
    retry :intervals ["1", "2"] :expire 1 :attempts 5;
}
stage "queue" {
    if outcome "class" "connect" { defer :after 1; }
    if outcome "code" "450" { defer; }
    if outcome "code" "451" { bounce :code 599 "for good"; }
    if outcome "code" "452" { bounce "${env.last_text} at last"; }
    if outcome "code" "453" { bounce :enhanced "5.2.1" "with a status"; }
    if outcome "code" "454" { retry :intervals "1"; }
}
