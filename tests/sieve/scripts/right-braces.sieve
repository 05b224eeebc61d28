require ["foreverypart", "variables", "regex"];
foreverypart :name "${a" { break :name "${a"; }
if header :regex "subject" "^Fr" { discard; }
if header :regex "subject" "^fr" { stop; }
if header :regex ["x-none", "subject"] "nothing" { keep; }
