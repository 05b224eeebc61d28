require "reject";
reject "no";
if true { keep; }
