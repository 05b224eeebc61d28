require "frob";
