require ["include", "variables"];
include "own";
if string "${mine}" "yes" { discard; }
