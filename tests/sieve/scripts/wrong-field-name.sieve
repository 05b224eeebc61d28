require "editheader";
addheader "X A" "b";
