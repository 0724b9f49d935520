"""
The metadata service of a host: http://169.254.169.254 for each network, with the control plane dead or alive.

Who asks is never taken from what is asked. The listening socket is bound to a network's bridge and so tells the network; the
peer's address, which the firewall's anti-spoofing vouches for, tells the port and with it the server; headers such as
X-Forwarded-For tell nothing. A guest is served what its host keeps of it (`GuestData`) and nobody else's.
"""
