"""Whether bytes are one whole datum of a schema, of any shape: for records that are not read as columns. Pure.

Libraries that read single records differ in what they let through: a truth value of 7, a whole number of 40 bits as an
int. Here it is the specification that decides, as in `schemas.screen`.
"""

from __future__ import annotations

from schemas.avro_tree import INT_BITS, LONG_BITS, Container, Enum, Fixed, Node, Primitive, Record, Union

INT_OCTETS, LONG_OCTETS = 5, 10


class MalformedError(ValueError):
    """The bytes are no datum of the schema."""


def is_whole(node: Node, octets: bytes, at: int) -> bool:
    """Whether a datum begins at `at` and ends where the bytes end."""
    try:
        return _end(node, octets, at) == len(octets)
    except (MalformedError, RecursionError):
        return False


def _end(node: Node, octets: bytes, at: int) -> int:
    match node:
        case Record():
            for field in node.fields:
                at = _end(field.type, octets, at)
            return at
        case Union(branches):
            branch, at = _number(octets, at, INT_OCTETS)
            if not 0 <= branch < len(branches):
                raise MalformedError
            return _end(branches[branch], octets, at)
        case Enum(symbols=symbols):
            symbol, at = _number(octets, at, INT_OCTETS)
            if not 0 <= symbol < len(symbols):
                raise MalformedError
            return at
        case Fixed(size=size):
            return _step(octets, at, size)
        case Container():
            return _end_of_blocks(node, octets, at)
        case Primitive():
            return _end_of_primitive(node.kind, octets, at)


def _end_of_primitive(kind: str, octets: bytes, at: int) -> int:
    if kind == "null":
        return at
    if kind == "boolean":
        if octets[at : at + 1] not in (b"\0", b"\1"):
            raise MalformedError
        return at + 1
    if kind in ("float", "double"):
        return _step(octets, at, 4 if kind == "float" else 8)
    if kind in ("int", "long"):
        number, at = _number(octets, at, INT_OCTETS if kind == "int" else LONG_OCTETS)
        bits = INT_BITS if kind == "int" else LONG_BITS
        if not -(2**bits) <= number < 2**bits:
            raise MalformedError
        return at
    size, at = _number(octets, at, LONG_OCTETS)
    return _step(octets, at, size)


def _end_of_blocks(node: Container, octets: bytes, at: int) -> int:
    while True:
        count, at = _number(octets, at, LONG_OCTETS)
        if count == 0:
            return at
        if count < 0:
            _, at = _number(octets, at, LONG_OCTETS)
        if abs(count) > len(octets):
            raise MalformedError  # items of no size must not keep the walk busy for ever
        for _ in range(abs(count)):
            if node.kind == "map":
                at = _end_of_primitive("string", octets, at)
            at = _end(node.inner, octets, at)


def _step(octets: bytes, at: int, size: int) -> int:
    if not 0 <= size <= len(octets) - at:
        raise MalformedError
    return at + size


def _number(octets: bytes, at: int, most: int) -> tuple[int, int]:
    value = 0
    for place, octet in enumerate(octets[at : at + most]):
        value |= (octet & 0x7F) << (7 * place)
        if octet < 0x80:
            return (value >> 1) ^ -(value & 1), at + place + 1
    raise MalformedError
