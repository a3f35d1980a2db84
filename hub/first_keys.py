"""Keys of a new stack: an administrator's, shown once, and the command line's own, which may only read."""

from __future__ import annotations

from collections.abc import Callable

from hub.client import CLI_KEY
from hub.clock import utc_now
from hub.config import Settings
from hub.local_secrets import local_secrets
from hub.security.keys import KeyStore
from hub.security.signin import SigninLinks

CLI_NOTE = "ioc on this machine"


def key_store(settings: Settings) -> KeyStore:
    """The keys of this state directory."""
    return KeyStore(settings.state_dir.absolute(), utc_now)


def ensure_keys(settings: Settings, show: Callable[[str], None]) -> None:
    """Make what is missing; `show` gets a new administrator key, which is stored as a hash only."""
    keys = key_store(settings)
    secrets = local_secrets(settings.state_dir.absolute())
    own = secrets.read(CLI_KEY)
    if own is None or keys.authenticate(own) is None:
        secrets.write(CLI_KEY, keys.create("operator", note=CLI_NOTE).text)
    if not keys.has_live("admin"):
        show(keys.create("admin", note="first start").text)


def sign_in_link(settings: Settings) -> str:
    """The address of the dashboard with a token that signs in one browser, once, as an administrator."""
    token = SigninLinks(settings.state_dir.absolute(), utc_now).create("admin")
    return f"{settings.api_url}/signin?token={token}"
