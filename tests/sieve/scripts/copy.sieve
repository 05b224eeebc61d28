require ["fileinto", "copy"];
fileinto :copy "copies";
redirect :copy "x@elsewhere.example";
