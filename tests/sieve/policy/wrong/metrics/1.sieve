require ["vnd.mtad.stage", "vnd.mtad.log"];
stage "ehlo" { metric "shared"; }
