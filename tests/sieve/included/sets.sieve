require ["include", "variables"];
global "shared";
set "shared" "yes";
