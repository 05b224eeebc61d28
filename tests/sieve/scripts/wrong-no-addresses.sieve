if address ["X-A", "from", "Subject"] "a" { keep; }
if address "keywords" "a" { keep; }
