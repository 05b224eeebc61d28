require "fileinto";
fileinto text:
open
