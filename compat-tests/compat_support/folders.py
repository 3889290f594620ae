"""The modules in the folders of the libraries, by path: some folders are called as the library they use."""

import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType

_importing = threading.RLock()


def module(folder: str, stem: str) -> ModuleType:
    """`compat-tests/<folder>/<stem>.py`. Any thread."""
    name = f"compat_{stem}_{folder}"
    with _importing:
        if name not in sys.modules:
            path = Path(__file__).parent.parent / folder / f"{stem}.py"
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            found = importlib.util.module_from_spec(spec)
            sys.modules[name] = found
            spec.loader.exec_module(found)
    return sys.modules[name]
