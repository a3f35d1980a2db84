"""Tables as files: CSV, CSV for Excel, XLSX, Parquet, JSON, written piece by piece so that memory stays flat."""
