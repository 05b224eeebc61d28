require "variables";
set "a" "joe@x.example";
redirect "Joe <${a}>";
redirect "<ann@x.example>";
redirect "Kim Q <kim@x.example>";
redirect "${a}";
