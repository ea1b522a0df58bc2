"""What is wrong with how a model names itself: common to the contracts of all ports."""

from __future__ import annotations

from collections.abc import Iterator

from hemascope.core.provenance import ModelIdentity


def identity_faults(identity: object) -> Iterator[str]:
    """Yield what is wrong with an identity, in words; nothing where it names model, version, backend and license.

    A digest may be absent; one that is there is a sha256 in lower case.
    """
    if not isinstance(identity, ModelIdentity):
        yield f"identity is {type(identity).__name__}, not ModelIdentity"
        return
    for part in ("name", "version", "backend", "license"):
        if not getattr(identity, part):
            yield f"identity has no {part}"
    digest = identity.sha256
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        yield f"'{digest}' is no sha256 in lower-case hexadecimal digits"
