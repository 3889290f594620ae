"""What all tests share: the fixtures of the plugin that the wheel ships."""

from __future__ import annotations

import pytest

from ottla.testing import pytest_plugin

pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """Where Ottla is installed pytest has found the plugin already; in a checkout alone it has not."""
    if not config.pluginmanager.is_registered(pytest_plugin):
        config.pluginmanager.register(pytest_plugin, "ottla")
