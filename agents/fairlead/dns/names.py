"""Domain names in wire form: lower case, uncompressed, with the root label at the end.

One form everywhere: it is hashable, compact, sliced out of a question as it is, and written into a record as it is.
RFC 1035, sections 2.3.4 and 3.1.
"""

from collections.abc import Iterable, Iterator

from fairlead.dns.errors import BadNameError

Name = bytes
"""A name in wire form, e.g. ``b"\\x03www\\x07example\\x00"``."""

ROOT: Name = b"\0"
LABEL_BYTES_MAX = 63
NAME_BYTES_MAX = 255


def from_labels(labels: Iterable[bytes]) -> Name:
    """Return the name of ``labels``, leftmost first, lower-cased.

    Raises:
        BadNameError: an empty or too long label, or too long a name.
    """
    parts = []
    for label in labels:
        if not 0 < len(label) <= LABEL_BYTES_MAX:
            raise BadNameError(f"a label must have 1 to {LABEL_BYTES_MAX} bytes, this one has {len(label)}")
        parts.append(bytes((len(label),)) + label.lower())
    name = b"".join(parts) + ROOT
    if len(name) > NAME_BYTES_MAX:
        raise BadNameError(f"a name must have at most {NAME_BYTES_MAX} bytes, this one has {len(name)}")
    return name


def from_text(text: str) -> Name:
    """Return the name of dotted ``text``; a trailing dot makes no difference.

    Raises:
        BadNameError: as `from_labels`, or text that is not UTF-8.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise BadNameError("a name must be valid UTF-8") from error
    raw = raw.removesuffix(b".")
    return from_labels(raw.split(b".")) if raw else ROOT


def to_text(name: Name) -> str:
    r"""Return ``name`` with a trailing dot, for people; bytes beyond ASCII are escaped as ``\DDD``."""
    return "".join(_escaped(label) + "." for label in labels(name)) or "."


def labels(name: Name) -> list[bytes]:
    """Return the labels of ``name``, leftmost first, without the root."""
    found = []
    at = 0
    while length := name[at]:
        found.append(name[at + 1 : at + 1 + length])
        at += length + 1
    return found


def count_labels(name: Name) -> int:
    """Return the number of labels of ``name``, without the root."""
    return len(labels(name))


def child(label: bytes, name: Name) -> Name:
    """Return ``name`` with ``label`` to its left; both must fit, as labels of a tree of names do."""
    return bytes((len(label),)) + label + name


def is_within(name: Name, zone: Name) -> bool:
    """Whether ``name`` is ``zone`` or lies below it, on whole labels."""
    return name.endswith(zone) and any(suffix == zone for suffix in suffixes(name))


def suffixes(name: Name) -> Iterator[Name]:
    """Yield ``name``, its parent, and so on up to the root."""
    at = 0
    while length := name[at]:
        yield name[at:]
        at += length + 1
    yield ROOT


def strip(name: Name, labels_count: int) -> Name:
    """Return ``name`` without its ``labels_count`` left labels; unchanged where nothing would be left."""
    for depth, suffix in enumerate(suffixes(name)):
        if suffix == ROOT:
            break
        if depth == labels_count:
            return suffix
    return name


def _escaped(label: bytes) -> str:
    return "".join(chr(c) if 0x21 <= c <= 0x7E and c not in b".\\" else f"\\{c:03d}" for c in label)
