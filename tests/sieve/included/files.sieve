require "fileinto";
fileinto "once";
