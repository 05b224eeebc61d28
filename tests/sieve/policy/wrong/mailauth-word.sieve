require ["vnd.mtad.stage", "vnd.mtad.mailauth"];
stage "data" { if dkim ["pass", "pas"] { } }
