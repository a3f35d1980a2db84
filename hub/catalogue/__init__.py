"""The catalogue: what data there are, what they mean, where they come from and which figures lean on them."""
