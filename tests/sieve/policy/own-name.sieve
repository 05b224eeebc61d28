require ["vnd.mtad.mailauth", "vnd.mtad.stage", "vnd.mtad.verdict"];
stage "data" { authresults; }
