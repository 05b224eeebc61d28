# Metrics that are none.
require ["vnd.mtad.stage", "vnd.mtad.log", "environment", "variables"];
stage "ehlo" {
    metric "used";
    metric :set 1 :labels ["b", "1", "a", "2"] "sorted";
    metric :set 1 :labels ["a", "1", "b", "2"] "sorted";
    metric :labels ["a", "1", "b", "2", "c", "3", "d", "4"] "four";
    metric "_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    metric "a-b";
    metric "1a";
    metric "mtad_mine";
    metric "__mine";
    metric "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    metric :set 1 "used";
    metric :set 1 :labels ["a", "1"] "sorted";
    metric :labels ["a"] "pairs";
    metric :labels ["a", "1", "b", "2", "c", "3", "d", "4", "e", "5"] "five";
    metric :labels ["a b", "1"] "label";
    metric :labels ["__name", "1"] "label";
    metric :labels ["${env.helo}", "1"] "label";
    metric :labels ["a", "1", "a", "2"] "label";
    metric :add 1 :set 1 "both";
}
