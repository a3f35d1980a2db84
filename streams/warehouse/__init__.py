"""The warehouse: DDL, the client everyone uses, and the embedded ClickHouse server."""
