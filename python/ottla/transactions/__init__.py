"""The transaction coordinator: pure machines, one for each partition of ``__transaction_state``."""
