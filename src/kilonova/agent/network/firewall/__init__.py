"""
The host's firewall: two nftables tables of ours, replaced together in one transaction, planned as text by pure functions.

Where a packet is looked at
---------------------------
A kernel need not have connection tracking for bridges (`NF_CONNTRACK_BRIDGE`), so statefulness comes from the inet hooks: each
of our bridges hands its packets to them (`nf_call_iptables` on the bridge, not on the machine). There the packet's devices
are the bridge, never the tap. The tap is known in the bridge family alone. Hence two tables, which divide the work:

`table bridge` (anti_spoofing.py) knows ports by their **tap**.
- *prerouting*: a guest may send only from its own MAC and addresses, as IPv4, IPv6 and ARP and nothing else, and neither DHCP
  answers nor router advertisements. Once a packet is past this, **its source address says which port it comes from**.
- *postrouting*: a guest gets unicast frames for its own addresses alone. So, the other way round, **the destination address
  says which port a packet goes to**. A flooded frame has no such address and no flow; the receiver's rules are applied to it
  here, where the receiver is known, and without state.

`table inet` (forwarding.py) knows ports by **(bridge, address)**, which the first table made trustworthy.
- *prerouting* (outbound.py): of what comes out of a gateway, whatever is the operator's own is dropped, unless it is opened.
- *forward*: established flows pass. A new one is judged by the egress rules of its source, then by the ingress rules of its
  destination; between guests of one host both are found in the same pass. Packets from one bridge to another are dropped.
- *input*: nothing of what guests send is for the machine itself.
- *nat*: what leaves the host is masqueraded.

Why it stays small
------------------
Ports differ in little: the rules depend on the network and the *set of groups* a port has, so chains are made per such pair (a
*profile*) and the ports are elements of verdict maps that lead into them. A packet costs a hash lookup and its profile's rules,
whatever the number of ports; and the whole ruleset is short enough to be replaced at each change, which heals whatever was done
to it.

In a profile's chain `return` means "let through, go on with the next judge" and the chain's end is `drop`. Chains are entered by
`goto` from a chain that was itself jumped to, so a `return` comes back to the hook's chain.

Ports without port security are in none of the sets and maps: what is not found passes. This is safe because what is found
nowhere can come only from such a port or the outside and can be delivered only to such a port.

Gateways
-------
A network's bridge has a port to its gateway's namespace, and perhaps one to the other hosts (between_hosts.py). What guests are
owed whatever their groups say (DHCP, DNS, metadata, echo) is a bridged packet on the machine, and is let through in *forward*.
Two bridges may carry equal addresses: their flows are in a conntrack zone each, and a group's members are known per bridge. The
gateway's namespace has an inet table of its own with the same chains: *input* there is for DHCP, DNS, metadata and echo and for
nothing else, metadata is redirected to the network's listener, and what is not a guest's address passes, as it was judged on
the bridge. Whoever reaches guests from the gateway is judged by their ingress rules as anybody else is.

An address may be used by several ports (a virtual IP in their allowed address pairs). It then has the groups of all of them.
"""
