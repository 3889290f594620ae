"""Consumer groups by the protocol of KIP-848, as a pure machine; and classic members in them."""
