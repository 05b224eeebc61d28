require ["variables"];
if not string "${own}${1}" "" { discard; }
set "own" "kept";
if string :matches "3-4" "*-*" { }
