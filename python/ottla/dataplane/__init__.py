"""The data plane as the control plane sees it: the only importer of the engine in ``ottla._core``."""
