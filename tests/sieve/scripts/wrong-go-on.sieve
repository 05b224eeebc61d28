keep "a" [ ;
discard 5;
if true { stop [ } ; snow; }
if ( { snow; }
stop { snow } ;
frost;
