"""
The extensions of Network v2.0 that work here: alias to name, what it means here, and when the extension last changed.

A client reads this list before it uses a feature, so an alias goes in with the feature and a test, and not before.
"""

from __future__ import annotations

from collections.abc import Mapping

EXTENSIONS: Mapping[str, tuple[str, str, str]] = {
    "allowed-address-pairs": (
        "Allowed Address Pairs", "Addresses that a port may use beside its own", "2012-07-23T10:00:00-00:00",
    ),
    "availability_zone": ("Availability Zone", "Lists the zones that have hosts", "2015-01-01T10:00:00-00:00"),
    "binding": ("Port Binding", "Shows administrators which host a port is on", "2014-02-03T10:00:00-00:00"),
    "dns-integration": ("DNS Integration", "A port's dns_name is its guest's name in DHCP", "2015-08-15T18:00:00-00:00"),
    "external-net": ("Neutron external network", "The router:external attribute of networks", "2013-01-14T10:00:00-00:00"),
    "extra_dhcp_opt": ("Neutron Extra DHCP options", "DHCP options of one port", "2013-03-17T12:00:00-00:00"),
    "filter-validation": ("Filter parameters validation", "Unknown filters are refused", "2018-03-21T10:00:00-00:00"),
    "ip-substring-filtering": ("IP address substring filtering", "Ports by part of an address", "2017-11-28T09:00:00-00:00"),
    "net-mtu": ("Network MTU", "The mtu attribute of networks", "2015-03-25T10:00:00-00:00"),
    "net-mtu-writable": ("Network MTU (writable)", "The mtu attribute can be set", "2017-07-12T00:00:00-00:00"),
    "network-ip-availability": ("Network IP Availability", "How many addresses are given", "2015-09-24T00:00:00-00:00"),
    "network_availability_zone": ("Network Availability Zone", "The zones of a network", "2015-01-01T10:00:00-00:00"),
    "pagination": ("Pagination support", "Lists by limit, marker and page_reverse", "2016-06-12T00:00:00-00:00"),
    "port-security": ("Port Security", "Anti-spoofing and groups can be put off for a port", "2012-07-23T10:00:00-00:00"),
    "project-id": ("project_id field enabled", "Things show project_id beside tenant_id", "2016-09-09T09:09:09-09:09"),
    "provider": ("Provider Network", "How a network is made on the hosts, for administrators", "2012-09-07T10:00:00-00:00"),
    "quotas": ("Quota management support", "Limits by project", "2012-07-29T10:00:00-00:00"),
    "quota_details": ("Quota details management support", "Limits and use by project", "2017-02-10T10:00:00-00:00"),
    "security-group": ("security-group", "Security groups and rules", "2012-10-05T10:00:00-00:00"),
    "security-groups-normalized-cidr": (
        "Normalized CIDR field for security group rules", "The normalized_cidr attribute", "2019-09-03T00:00:00-00:00",
    ),
    "sorting": ("Sorting support", "Lists by sort_key and sort_dir", "2016-06-12T00:00:00-00:00"),
    "standard-attr-description": ("standard-attr-description", "Descriptions of things", "2016-02-10T10:00:00-00:00"),
    "standard-attr-revisions": ("Resource revision numbers", "The revision_number of things", "2016-04-11T10:00:00-00:00"),
    "standard-attr-tag": ("Tag support", "Tags on networks, subnets, ports and groups", "2017-01-01T00:00:00-00:00"),
    "standard-attr-timestamp": ("Resource timestamps", "created_at, updated_at and changed_since", "2016-09-12T10:00:00-00:00"),
}  # fmt: skip
