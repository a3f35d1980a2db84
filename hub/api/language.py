"""Which language a request is answered in: `lang` in the address, then the cookie, then Accept-Language."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from hub.locale.catalogue import LANGUAGES, Catalogue, catalogue, preferred

COOKIE = "ioc_lang"


def language_of(request: HTTPConnection) -> str:
    """One of `LANGUAGES`."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return str(wish)
    return preferred(request.headers.get("accept-language", ""), getattr(request.app.state, "language", "vi"))


def texts_of(request: HTTPConnection) -> Catalogue:
    """The catalogue for this request."""
    return catalogue(language_of(request))
