"""The HTTP face of the hub: JSON under `/v1`, health, metrics, and the pages of `hub.web`."""
