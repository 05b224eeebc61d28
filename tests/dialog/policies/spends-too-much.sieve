require ["vnd.mtad.stage", "vnd.mtad.verdict", "variables", "envelope"];

stage "mail" {
    if envelope :localpart "from" "mallory" {
        set "stars" "****************";
        set "stars" "${stars}${stars}${stars}${stars}${stars}${stars}${stars}${stars}";
        set "stars" "${stars}${stars}${stars}${stars}${stars}${stars}${stars}${stars}";
        set "stars" "${stars}${stars}${stars}${stars}";
        if anyof (string :matches "a" ["${stars}1", "${stars}2", "${stars}3", "${stars}4", "${stars}5", "${stars}6"],
                  string :matches "b" ["${stars}1", "${stars}2", "${stars}3", "${stars}4", "${stars}5", "${stars}6"]) {
            ereject "cannot be";
        }
    }
}
