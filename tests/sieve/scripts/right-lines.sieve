require "fileinto";
fileinto text: # a remark
..a
b
.
;
