require ["vnd.mtad.stage", "vnd.mtad.route", "vnd.mtad.queue", "envelope"];
stage "deliver" {
    if envelope :domain "to" "lmtp.example" { route :host "unix:/run/lmtp" "lmtp"; }
    if envelope :domain "to" "two.example" { route :host ["a.example", "b.example"] :port 2525 :tls "none" "smtp"; }
    if envelope :domain "to" "own.example" { route :source ["192.0.2.9", "2001:db8::9"] :helo "out.here.example" "smtp"; }
    if envelope :domain "to" "nomx.example" { route :nomx "smtp"; }
    if envelope :domain "to" "last.example" { route :host "first.example" "smtp"; route :host "second.example" "smtp"; }
    if envelope :domain "to" "later.example" { queue; }
    if envelope :domain "to" "keep.example" { queue :transient; }
    if envelope :domain "to" "retry.example" { retry :intervals ["60", "120"] :expire 3600 :delaydsn 0; }
}
