"""Simulated department systems of the demonstration: separate processes, apart from the product."""
