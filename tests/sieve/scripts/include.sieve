require "include";
include "discards";
