require ["variables", "regex"];
set "a" "(";
if header :regex "subject" "${a}" { }
