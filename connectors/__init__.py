"""The edge: how a department's system is described, read and published to Kafka."""
