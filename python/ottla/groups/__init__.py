"""Groups and their offsets: pure state machines; whoever runs them is in ``ottla.coordinator``."""
