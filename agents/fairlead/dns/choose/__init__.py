"""Which of a name's records a client is sent, and in which order: health, tiers, weights, nearness.

Pure: what is known of records beside their keys is in `Conditions`, which others fill.
"""

from fairlead.dns.choose.conditions import Conditions
from fairlead.dns.choose.nearness import Hints, Location, Map, parse_hints, parse_map
from fairlead.dns.choose.ramp import Ramp
from fairlead.dns.choose.turns import weighted_turns

__all__ = [
    "Conditions",
    "Hints",
    "Location",
    "Map",
    "Ramp",
    "parse_hints",
    "parse_map",
    "weighted_turns",
]
