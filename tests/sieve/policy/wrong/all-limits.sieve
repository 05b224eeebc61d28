# Limits that are none.
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope",
         "vnd.mtad.lookup", "vnd.mtad.dns", "vnd.mtad.sign", "extlists", "envelope", "environment", "variables", "relational", "include",
         "editheader", "date", "index", "encoded-character", "foreverypart", "extracttext", "ihave", "vnd.mtad.limits", "vnd.mtad.mailauth", "redirect-dsn", "vnd.mtad.service", "spamtest"];
stage "connect" {
    if ratelimit 0 60 { }
    if ratelimit 1000000001 60 { }
    if ratelimit 5 0 { }
    if ratelimit 5 2592001 { }
    if ratelimit :cost 0 5 60 { }
    if ratelimit :cost 6 5 60 { }
    if concurrency 0 { }
    if greylist { }
    if greylist :key "a" :delay 0 { }
    if greylist :key "a" :delay 5 :window 5 { }
    if greylist :key "a" :lifetime 7776001 { }
    if greylist :key "a" :window 7776001 { }
    if ratelimit :cost 5 5 60 { }
    if ratelimit 1 1 { }
    if concurrency 1 { }
    if greylist :key "a" :delay 1 :window 2 { }
}
