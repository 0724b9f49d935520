"""Use cases of servers, flavors, key pairs, groups and hosts: one module per verb."""
