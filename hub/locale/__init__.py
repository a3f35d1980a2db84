"""Message catalogues, Vietnamese first."""
