require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.limits", "envelope", "variables"];
stage "connect" {
    if ratelimit :peek 2 60 { tempfail "too often, before it counts"; }
    if ratelimit 2 60 { tempfail "too often"; }
}
stage "ehlo" {
    if concurrency :onerror "true" 1 { tempfail "too many at once"; }
}
stage "auth" {
    if greylist :key "users" { tempfail "come again"; }
}
stage "mail" {
    if ratelimit :key "${envelope.from}" :cost 3 5 60 { tempfail "too much"; }
}
stage "rcpt" {
    if envelope :localpart "to" "now" {
        if greylist :delay 1 :window 2 { tempfail "come again at once"; }
        accept;
    }
    if greylist { tempfail "come again"; }
}
stage "data" {
    if ratelimit :key "all" :onerror "true" 1000000000 1 { tempfail "nobody knows"; }
}
