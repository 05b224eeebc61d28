require ["variables", "editheader"];
set "a" "x y";
addheader "${a}" "b";
