require "redirect-deliverby";
redirect :bytimerelative 0 :bymode "return" "a@x.example";
redirect :bytimeabsolute "soon" "a@x.example";
redirect :bymode "notify" "a@x.example";
