require ["environment", "variables", "relational", "comparator-i;ascii-numeric", "vnd.mtad.stage",
         "vnd.mtad.verdict"];

stage "mail" {
    if environment :value "gt" :comparator "i;ascii-numeric" "vnd.mtad.msg-count" "2" {
        tempfail "452 4.5.3 Two messages a session";
    }
}

stage "rcpt" {
    if environment :value "ge" :comparator "i;ascii-numeric" "vnd.mtad.rcpt-count" "2" {
        tempfail "452 4.5.3 Two recipients for ${env.queue_id}";
    }
}

stage "data" {
    if not environment :matches "vnd.mtad.queue-id" "????????????????" { ereject "${env.queue_id} is no id"; }
    ereject "${env.host} ${env.local_ip} ${env.local_port}: ${env.msg_count} with ${env.rcpt_count}";
}
