require ["editheader", "fileinto", "copy"];
fileinto :copy "before";
addheader "X-A" "1";
