require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue", "vnd.mtad.log", "vnd.mtad.score", "vnd.mtad.envelope", "envelope", "environment", "variables", "relational", "comparator-i;ascii-numeric", "editheader", "date", "index"];
stage "deliver" { route :host "a.example" :port 0 "smtp"; }
