"""Hosts: which certificate a name is served with.  Source: vulcand, engine/model.go."""

from dataclasses import dataclass

from fairlead.proxy.keys import ObjectId
from fairlead.proxy.model.fields import Fields
from fairlead.proxy.model.tls import AutoCert, Ocsp, read_auto_cert, read_ocsp, read_sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A name that is served over TLS.

    Attributes:
        name: lower-case; ``*.example`` stands for one more label.
        is_default: served to clients that name no host, or none of ours.
        sealed_key_pair: the sealed JSON of certificate and key; empty: none is given.
        auto_cert: None: no certificate is ordered for it.
        ocsp: how vulcand would staple; read, checked and told, as nothing is stapled here.  None: not at all.
    """

    name: str
    is_default: bool = False
    sealed_key_pair: bytes = b""
    auto_cert: AutoCert | None = None
    ocsp: Ocsp | None = None


def read_host(identity: ObjectId, fields: Fields) -> Host:
    """Return the host that ``fields`` describe."""
    settings = fields.inside("Settings")
    auto_cert = settings.inside("AutoCert")
    return Host(
        name=identity.name.lower(),
        is_default=settings.flag("Default"),
        sealed_key_pair=read_sealed(settings, "KeyPair"),
        auto_cert=read_auto_cert(auto_cert) if auto_cert.values else None,
        ocsp=read_ocsp(settings.inside("OCSP")),
    )
