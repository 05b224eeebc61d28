require ["vnd.mtad.stage", "vnd.mtad.route"];
stage "deliver" { if ip :local "192.0.2.1" { } route :tls "dane" "smtp"; }
