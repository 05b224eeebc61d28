require ["vnd.mtad.stage", "vnd.mtad.lookup"];
map :kept "k";
map "m" ["a b"];
map "n";
map :kept "o" ["a b"];
map :kept;
stage "data" {
    mapset "map:m" "a" "b";
    mapset "map:none" "a" "b";
    mapset :expire 0 "map:k" "a" "b";
    mapset :expire 7776001 "map:k" "a" "b";
    mapset :expire 7776000 "map:k" "a" "b";
    mapset :expire 1 "map:k" "a" "b";
    monitor "x" { mapset "map:k" "a" "b"; }
}
stage "queue" { if lookup "map:k" "a" { } }
