"""What commands that only look have in common: the keys, read once, in a model of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from fairlead.agent import Address, AgentOptions
from fairlead.client import Client, KeyValue
from fairlead.dns.commands.zones import zones_of
from fairlead.dns.config import DnsConfig
from fairlead.dns.dialect import DIALECTS
from fairlead.dns.explain import Reports
from fairlead.dns.model import Model
from fairlead.dns.responder import Responder
from fairlead.dns.server import DnsServer, Identity

_FLAGS = (
    click.option("--domain", default="skydns.local.", show_default=True, help="The zones, as for run."),
    click.option("--path-prefix", default="skydns", show_default=True, help="Where the records are."),
    click.option("--dialect", type=click.Choice(sorted(DIALECTS)), default="skydns", show_default=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The keys as of one moment.

    Attributes:
        model: what they say.
        responder: answers from it.
        kvs: the pairs.
        reports: what is wrong with them.
    """

    model: Model
    responder: Responder
    kvs: dict[bytes, KeyValue]
    reports: Reports


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say which keys, and how to read them: ``domain``, ``path_prefix`` and ``dialect``."""
    for flag in reversed(_FLAGS):
        function = flag(function)
    return function


async def read_keys(options: AgentOptions, *, domain: str, path_prefix: str, dialect: str) -> Reading:
    """Read the keys of the store, once.

    Raises:
        ConfigError: a zone is no name.
        ClientError: the store cannot be read.
    """
    config = DnsConfig(
        listen=(Address(host="127.0.0.1", port=0),),
        zones=zones_of(domain, flag="--domain"),
        path_prefix=path_prefix,
        dialect=DIALECTS[dialect],
    )
    reports = Reports()
    model = Model(config, report=reports)
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        result = await client.get(model.keys.prefix, prefix=True)
    kvs = {kv.key: kv for kv in result.kvs}
    leases = {key: kv.lease for key, kv in kvs.items() if kv.lease}
    model.apply(result.revision, {key: kv.value for key, kv in kvs.items()}, leases=leases)
    # It is never bound: what is wanted is how it would answer.
    server = DnsServer(model, config, identity=Identity.new(options.host), write=lambda *_, **__: None)
    return Reading(model=model, responder=server.responder, kvs=kvs, reports=reports)
