require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.limits", "envelope", "variables"];
stage "connect" {
    if ratelimit :peek 2 60 { tempfail "too often, before it counts"; }
    if ratelimit 2 60 { tempfail "too often"; }
}
stage "mail" {
    if ratelimit :key "${envelope.from}" :cost 3 5 60 { tempfail "too much"; }
}
stage "rcpt" {
    if greylist { tempfail "come again"; }
}
stage "data" {
    if ratelimit :key "all" :onerror "true" 1000000000 1 { tempfail "nobody knows"; }
}
