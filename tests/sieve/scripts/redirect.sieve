redirect "x@elsewhere.example";
redirect "x@elsewhere.example";
