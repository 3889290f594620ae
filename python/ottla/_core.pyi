"""The extension module: what the data plane, written in Rust, shows to Python."""

from typing import Any

__version__: str

# --- codec: programs of messages -------------------------------------------------------------------------------------

class WireError(ValueError):
    """Bytes that are no message, or a message that has no bytes: which message and version, which field, where."""

class Program:
    """A message in one version, ready to be read and written. Immutable; any thread; never blocks."""

    def __new__(
        cls,
        name: str,
        structs: list[tuple[type, bool, list[tuple[str, int, int, int, int, Any]]]],
        watch: str,
    ) -> Program:
        """Takes the structs of a message, each after those it contains, the message last.

        A struct is its slotted class, whether it ends with a tag section, and a row per field: attribute, kind
        (``ottla.wire.schema.Kind``), flags (``ottla.wire.program``), index of its struct, tag, default. ``watch``
        names the field of the message whose place ``encode_watched`` tells. ``name`` is for errors.
        Raises ``ValueError`` for rows that make no program.
        """

    def decode(self, data: bytes, offset: int = 0) -> Any:
        """The message that begins at ``offset``; bytes behind it are left alone. Raises ``WireError``."""

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[Any, int]:
        """As ``decode``, and where the message ends."""

    def encode(self, message: object) -> bytes:
        """The bytes of a message of the program's class. Raises ``WireError``."""

    def encode_watched(self, message: object) -> tuple[bytes, int | None]:
        """As ``encode``, and where in the bytes the watched field begins; ``None`` when this version has it not."""
