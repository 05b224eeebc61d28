require ["include", "variables"];
set "a" "b";
global "a";
global "1";
include "x/y";
