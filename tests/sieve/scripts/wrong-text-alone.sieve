text :a;
