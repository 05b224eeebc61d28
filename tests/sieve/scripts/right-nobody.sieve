require "variables";
redirect "${a}";
