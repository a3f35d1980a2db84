"""The command `ioc`: one module per noun; heavy imports wait until a command needs them."""

from __future__ import annotations

from hub.cli.application import main

__all__ = ["main"]
