require "redirect-dsn";
redirect :notify "SOON" "a@x.example";
redirect :ret "ALL" "a@x.example";
