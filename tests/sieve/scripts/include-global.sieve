require ["include", "variables"];
global "shared";
include "sets";
if string "${shared}" "yes" { redirect "x@elsewhere.example"; }
