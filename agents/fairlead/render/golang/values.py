"""Kinds of values that Go tells apart and Python does not."""


class Values(list[object]):
    """``[]interface{}``: a list out of JSON, whose items may be anything; other lists are ``[]string`` and the like."""


class Pairs(list[object]):
    """``[]memkv.KVPair``, as ``sortKVByLength`` gives it; ``gets`` gives ``memkv.KVPairs``, which is another type."""
