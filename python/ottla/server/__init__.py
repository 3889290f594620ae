"""The broker put together: listeners, the switchboard, and the composition root."""
