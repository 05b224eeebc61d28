require ["envelope", "environment", "variables", "ereject", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.log"];

stage "connect" {
    metric "connections_total";
    metric :add 3 "octets_total";
    metric :set 0 "load";
}

stage "ehlo" {
    monitor "on trial" {
        metric :labels ["zone", "a", "helo", "${env.helo}"] "greetings_total";
        ereject "never said";
    }
}

stage "rcpt" {
    metric :labels ["domain", "${envelope.to.domain}"] :add 2 "recipients_total";
    metric :add 0 :labels ["domain", "x"] "recipients_total";
}

stage "data" {
    foreachrcpt { metric :labels ["domain", "${envelope.to.domain}"] "each_total"; }
    ereject "no";
}

stage "deliver" {
    metric "routed_total";
}

stage "queue" {
    metric :labels ["class", "${env.last_class}"] "deferred_total";
}
