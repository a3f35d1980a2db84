"""Source kind `webhook`: a system pushes its changes as signed requests; see `connectors/ingest.py` for the route."""

from connectors.webhook_config import Config

__all__ = ["Config"]
