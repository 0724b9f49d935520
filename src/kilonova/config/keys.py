"""What wraps the keys of the control plane."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from kilonova.config.section import Section


class KeysSection(Section, frozen=True, kw_only=True):
    """Where the keys are that wrap those which tokens are sealed with. The same on each API's machine."""

    store: Annotated[
        str, Meta(description="`file`, or the entry point of `kilonova.key_stores` that leads to a KMS.")
    ] = "file"
    file: Annotated[
        str,
        Meta(
            description="A file of keys, one a line, the first of which wraps (`kilonova keys new`); 0600. Empty: the file"
            " kilonova.keys in $CREDENTIALS_DIRECTORY (systemd: LoadCredential=kilonova.keys:PATH), or none: then keys lie in"
            " the database as they are."
        ),
    ] = ""
