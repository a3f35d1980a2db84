"""The role `connect` over HTTP: Kafka Connect's REST interface, and what ours says beyond it."""
