require "redirect-dsn";
redirect :notify "NEVER" :ret "hdrs" "a@x.example";
redirect :ret "FULL" "b@x.example";
