"""Sets lines in the configuration files of Debian's OpenStack packages, as an operator does, and leaves the others."""

from __future__ import annotations

import configparser
import io
from collections.abc import Mapping

Settings = Mapping[str, Mapping[str, object]]


def merged(text: str, settings: Settings) -> str:
    """`text` with these values in place of its own. Comments go: the files are long."""
    parser = configparser.ConfigParser(
        default_section="",
        interpolation=None,
        strict=False,
        allow_no_value=True,
        delimiters=("=",),
        comment_prefixes=("#", ";"),
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    for section, values in settings.items():
        if not parser.has_section(section):
            parser.add_section(section)
        for key, value in values.items():
            parser.set(section, key, str(value))
    out = io.StringIO()
    parser.write(out)
    return out.getvalue()
