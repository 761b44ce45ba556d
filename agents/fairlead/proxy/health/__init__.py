"""Active health checks: probes on connections of their own, and the verdicts that they come to.

``Verdict`` decides, without IO; ``Prober`` asks.  What clients see of a server (ejection) is ``balance``'s business.
"""

from fairlead.proxy.health.prober import Prober
from fairlead.proxy.health.verdict import Verdict

__all__ = ["Prober", "Verdict"]
