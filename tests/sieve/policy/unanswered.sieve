require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.service", "spamtest"];
spamscale "0.001";
stage "rcpt" { if policy "nobody" "defer" { tempfail "grey"; } }
