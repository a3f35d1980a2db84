"""The core: from bytes on a topic to aggregates in the warehouse, exactly once."""
