"""The canary: a record of the hub's own that goes the whole way, to know that the way is open and how long it takes."""
