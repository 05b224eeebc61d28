keep%;
