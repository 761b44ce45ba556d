"""What an operator chooses, checked once."""

from dataclasses import dataclass, field
from pathlib import Path

from fairlead.agent import Address
from fairlead.dns import names
from fairlead.dns.choose.settings import ChooseSettings
from fairlead.dns.dialect import Dialect
from fairlead.dns.forward.settings import ForwardSettings
from fairlead.dns.guard import GuardSettings
from fairlead.dns.limits import Limits
from fairlead.dns.names import Name
from fairlead.dns.outage import OutageSettings
from fairlead.dns.serving import Serving
from fairlead.dns.transfer.settings import TransferSettings
from fairlead.dns.zone import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsConfig:
    """The name server's configuration.

    Attributes:
        listen: addresses and ports, for UDP and TCP each.
        zones: what we have authority over.
        path_prefix: where the records are in the store.
        dialect: how they are read.
        local: what ``local.dns.<zone>`` stands for; None: itself.
        exact_zones: of ``zones``, those where a name is answered from its own key alone.
        dnssec_keys: the folder of the keys that sign zones; None signs none.
        transfer: who may have whole zones, and who is told of changes.
        data_dir: where the copy of the records is kept; None keeps none.
        forward: who is asked for what is not ours.
        outage: how long the answers are worth what, while the store is away.
        guard: which disappearances are held back.
        choose: among the records of a name.
        ndots: names outside of fewer labels are not asked for.
        limits: see there.
        serving: see there.
    """

    listen: tuple[Address, ...]
    zones: tuple[Name, ...]
    path_prefix: str
    dialect: Dialect
    local: Name | None = None
    exact_zones: frozenset[Name] = frozenset()
    dnssec_keys: Path | None = None
    transfer: TransferSettings = field(default_factory=TransferSettings)
    data_dir: Path | None = None
    forward: ForwardSettings = field(default_factory=ForwardSettings)
    outage: OutageSettings = field(default_factory=OutageSettings)
    guard: GuardSettings = field(default_factory=GuardSettings)
    choose: ChooseSettings = field(default_factory=ChooseSettings)
    ndots: int = 2
    limits: Limits = field(default_factory=Limits)
    serving: Serving = field(default_factory=Serving)

    def __post_init__(self) -> None:
        assert self.listen
        assert self.zones

    @property
    def settings(self) -> Settings:
        """The settings of the answers, before ``<prefix>/config`` has its say."""
        return Settings(
            zones=self.zones,
            dialect=self.dialect,
            ttl_default_s=self.dialect.ttl_default_s,
            negative_ttl_s=self.dialect.negative_ttl_s,
            local=self.local,
            ndots=self.ndots,
            exact_zones=self.exact_zones,
        )

    def __str__(self) -> str:
        zones = " ".join(names.to_text(zone) for zone in self.zones)
        return f"{zones} from /{self.path_prefix.strip('/')} as {self.dialect.name}"
