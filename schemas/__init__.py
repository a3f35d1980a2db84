"""What all parts agree on: contracts, code tables, time, the wire format. Imports nothing of the other packages."""
