if [ { keep; }
snow;
if [ { if true { keep; } }
hail;
