fileinto "a";
