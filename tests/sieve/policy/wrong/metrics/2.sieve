require ["vnd.mtad.stage", "vnd.mtad.log"];
stage "rcpt" { metric :set 1 "shared"; }
