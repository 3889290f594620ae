"""What may go wrong in a measurement: the row fails, or is not for this peer; the run goes on."""

from typing import final


@final
class Failed(Exception):
    """A measurement could not be made; the message names what ended it."""


@final
class Skipped(Exception):
    """A measurement does not apply here; the message says why."""
