"""Records whose servers are looked after: a check in the key, one set of probers for all name servers, results in leased keys."""
