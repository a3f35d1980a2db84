"""One module per kind of source; the file names are the catalogue."""
