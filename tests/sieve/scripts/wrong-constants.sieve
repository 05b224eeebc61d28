require ["variables", "comparator-i;ascii-numeric", "relational", "environment", "fileinto"];
if header :comparator "${a}" "b" "c" { }
if header :value "${a}" "b" "c" { }
if environment ["${a}"] "b" { }
fileinto "";
redirect "nobody";
redirect "a@x.example, b@x.example";
