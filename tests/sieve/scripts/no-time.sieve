require ["redirect-deliverby", "variables"];
set "hour" "soon";
redirect :bytimeabsolute "2026-03-01T${hour}" "a@x.example";
