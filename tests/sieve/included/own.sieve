require "variables";
set "mine" "yes";
