"""What people touch – command line, API, dashboard – and the composition root."""
