require "fileinto";
fileinto "work";
