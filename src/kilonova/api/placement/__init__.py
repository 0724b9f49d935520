"""
Placement v1 over the cloud's own records: providers are hosts, allocations are servers' claims.

There is no second ledger, so what Placement clients write elsewhere is refused here where somebody else owns it: providers and
totals are their agents', allocations are made and given back by booting and deleting servers. Ratios, reserves, traits,
aggregates, custom traits and custom resource classes are an operator's, and written here.
"""
