require "include";
include :once "files";
include :once "files";
