"""The language of the command line: Vietnamese unless `--lang en` or `IOC_LANG=en` says otherwise.

Every text is written as a pair, so that none can be missing in one of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence


def chosen(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """`vi` or `en`. Read from the raw arguments: the help texts must be known before these are parsed."""
    for position, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return "en" if argument == "--lang=en" else "vi"
        if argument == "--lang" and position + 1 < len(arguments):
            return "en" if arguments[position + 1] == "en" else "vi"
    return "en" if environ.get("IOC_LANG") == "en" else "vi"


LANGUAGE = chosen(sys.argv[1:], os.environ)


def t(vi: str, en: str) -> str:
    """The text in the language of this process."""
    return en if LANGUAGE == "en" else vi
