"""Integration health: who is behind, by how much, and since when."""
