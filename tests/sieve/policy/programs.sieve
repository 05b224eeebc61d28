require ["variables", "envelope", "vnd.dovecot.execute", "vnd.dovecot.filter", "editheader",
         "vnd.mtad.stage", "vnd.mtad.verdict"];

stage "mail" {
    if execute "known-sender" "${envelope.from}" { accept :text "known"; }
    if execute :onerror "false" "known-domain" { accept :text "known domain"; }
    execute :onerror "continue" "note";
    accept :text "unknown";
}

stage "rcpt" {
    if not execute :input "${envelope.to}" :output "why" "user" { ereject "no ${why}"; }
    accept :text "${why}";
}

stage "data" {
    if header "x-look" "yes" {
        execute :pipe "look";
    }
    if header "x-disarm" "yes" {
        addheader "X-Before" "filtering";
        if filter "disarm" { addheader "X-Disarmed" "yes"; }
        deleteheader "x-disarm";
        stop;
    }
    set "kept" "as it was";
    execute :output "kept" "told";
    accept :text "${kept}";
}
