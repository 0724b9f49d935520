"""
What the Compute API knows and this cloud does not do: each way answers with why, and none is shown in discovery.

A way is `METHOD PATH [ACTION] [>=FIRST] [<=LAST]`, the last two being microversions. One that is built moves to its resource's
table; a test holds that every documented way is in one or the other.
"""

from __future__ import annotations

from kilonova.api.framework import absent

_SERVER = "/servers/{server_id}"
_ACTION = f"POST {_SERVER}/action"
_VOLUMES = "This cloud has no block storage service yet: there are no volumes, and none can be attached or booted from."
_CONSOLES = (
    "This cloud serves no remote consoles yet; what a server writes to its console is read with os-getConsoleOutput."
)
_MOVES = "This cloud does not move servers between hosts yet."
_RESIZE = "This cloud does not resize servers yet: boot another one with the flavor that is wanted."
_POWER = "This cloud does not stop, start, pause, suspend or reboot servers from outside yet; their guests can do so themselves."
_IMAGES = "This cloud makes no images of servers yet, and does not rebuild them: boot another one."
_RESCUE = "This cloud does not rescue servers yet."
_SHELVE = "This cloud does not shelve servers yet, and keeps none that were deleted."
_INTERFACES = (
    "This cloud does not change the interfaces of servers yet; they are chosen at boot; see the network service."
)
_FLOATING = "This cloud has no floating IPs yet."
_PASSWORD = "This cloud does not set or show passwords of running guests yet: use a key pair."  # noqa: S105 - words about them
_GROUPS = "The security groups of a server are those of its ports here: change them with the network service."
_IMAGE_SERVICE = "Images are the image service's alone here: ask that, it is in the catalog."
_NETWORK_SERVICE = "Networks and security groups are the network service's alone here: ask that, it is in the catalog."

ROUTES = [
    *absent(
        _VOLUMES,
        f"GET {_SERVER}/os-volume_attachments", f"POST {_SERVER}/os-volume_attachments",
        f"GET {_SERVER}/os-volume_attachments/{{id}}", f"PUT {_SERVER}/os-volume_attachments/{{id}}",
        f"DELETE {_SERVER}/os-volume_attachments/{{id}}",
        "POST /os-assisted-volume-snapshots", "DELETE /os-assisted-volume-snapshots/{id}",
        "GET /os-snapshots <=2.35", "POST /os-snapshots <=2.35", "GET /os-snapshots/detail <=2.35",
        "GET /os-snapshots/{id} <=2.35", "DELETE /os-snapshots/{id} <=2.35",
        "GET /os-volumes <=2.35", "POST /os-volumes <=2.35", "GET /os-volumes/detail <=2.35",
        "GET /os-volumes/{id} <=2.35", "DELETE /os-volumes/{id} <=2.35",
        "GET /os-volumes_boot <=2.102", "POST /os-volumes_boot <=2.102", "GET /os-volumes_boot/detail <=2.102",
        "GET /os-volumes_boot/{id} <=2.102", "PUT /os-volumes_boot/{id} <=2.102", "DELETE /os-volumes_boot/{id} <=2.102",
        *(f"POST /os-volumes_boot/{{id}}/action {action} <=2.102"
          for action in ("confirmResize", "revertResize", "reboot", "resize", "rebuild", "createImage", "os-start", "os-stop")),
        "POST /os-volumes_boot/{id}/action trigger_crash_dump >=2.17 <=2.102",
    ),
    *absent(
        _CONSOLES,
        f"POST {_SERVER}/remote-consoles >=2.6", "GET /os-console-auth-tokens/{id}",
        *(f"{_ACTION} os-get{kind}Console <=2.5" for kind in ("VNC", "SPICE", "RDP", "Serial")),
    ),
    *absent(
        _MOVES,
        "GET /os-migrations", f"GET {_SERVER}/migrations >=2.23", f"GET {_SERVER}/migrations/{{id}} >=2.23",
        f"DELETE {_SERVER}/migrations/{{id}} >=2.24", f"POST {_SERVER}/migrations/{{id}}/action force_complete >=2.22",
        f"{_ACTION} migrate", f"{_ACTION} os-migrateLive", f"{_ACTION} evacuate",
    ),
    *absent(_RESIZE, f"{_ACTION} resize", f"{_ACTION} confirmResize", f"{_ACTION} revertResize"),
    *absent(
        _POWER,
        *(f"{_ACTION} {action}" for action in ("reboot", "os-start", "os-stop", "pause", "unpause", "suspend", "resume")),
        f"{_ACTION} trigger_crash_dump >=2.17",
    ),
    *absent(_IMAGES, f"{_ACTION} createImage", f"{_ACTION} createBackup", f"{_ACTION} rebuild"),
    *absent(_RESCUE, f"{_ACTION} rescue", f"{_ACTION} unrescue"),
    *absent(
        _SHELVE,
        *(f"{_ACTION} {action}" for action in ("shelve", "shelveOffload", "unshelve", "restore")),
    ),
    *absent("Servers are deleted at once here, never softly: DELETE the server.", f"{_ACTION} forceDelete"),
    *absent(
        _INTERFACES,
        f"GET {_SERVER}/os-interface", f"POST {_SERVER}/os-interface", f"GET {_SERVER}/os-interface/{{id}}",
        f"DELETE {_SERVER}/os-interface/{{id}}", f"{_ACTION} addFixedIp <=2.43", f"{_ACTION} removeFixedIp <=2.43",
        f"{_ACTION} injectNetworkInfo",
    ),
    *absent(
        _FLOATING,
        f"{_ACTION} addFloatingIp <=2.43", f"{_ACTION} removeFloatingIp <=2.43", "GET /os-floating-ip-pools <=2.35",
        "GET /os-floating-ips <=2.35", "POST /os-floating-ips <=2.35", "GET /os-floating-ips/{id} <=2.35",
        "DELETE /os-floating-ips/{id} <=2.35",
    ),
    *absent(
        _PASSWORD,
        f"{_ACTION} changePassword", f"GET {_SERVER}/os-server-password", f"DELETE {_SERVER}/os-server-password",
    ),
    *absent(_GROUPS, f"{_ACTION} addSecurityGroup", f"{_ACTION} removeSecurityGroup"),
    *absent(
        _IMAGE_SERVICE,
        "GET /images <=2.35", "GET /images/detail <=2.35", "GET /images/{id} <=2.35", "DELETE /images/{id} <=2.35",
        *(f"{method} /images/{{image_id}}/metadata <=2.38" for method in ("GET", "POST", "PUT")),
        *(f"{method} /images/{{image_id}}/metadata/{{id}} <=2.38" for method in ("GET", "PUT", "DELETE")),
    ),
    *absent(
        _NETWORK_SERVICE,
        "GET /os-networks <=2.35", "GET /os-networks/{id} <=2.35", "GET /os-tenant-networks <=2.35",
        "GET /os-tenant-networks/{id} <=2.35", "POST /os-security-group-rules <=2.35",
        "DELETE /os-security-group-rules/{id} <=2.35", "GET /os-security-groups <=2.35",
        "POST /os-security-groups <=2.35", "GET /os-security-groups/{id} <=2.35", "PUT /os-security-groups/{id} <=2.35",
        "DELETE /os-security-groups/{id} <=2.35",
    ),
    *absent(
        "This cloud has no bare metal service.",
        "GET /os-baremetal-nodes <=2.35", "POST /os-baremetal-nodes <=2.35", "GET /os-baremetal-nodes/{id} <=2.35",
        "DELETE /os-baremetal-nodes/{id} <=2.35", "POST /os-baremetal-nodes/{id}/action add_interface <=2.35",
        "POST /os-baremetal-nodes/{id}/action remove_interface <=2.35",
    ),
    *absent(
        "Hosts are shown by /os-hypervisors and switched by /os-services here; this cloud does not reboot them.",
        "GET /os-hosts <=2.42", "GET /os-hosts/{id} <=2.42", "PUT /os-hosts/{id} <=2.42",
        *(f"GET /os-hosts/{{id}}/{verb} <=2.42" for verb in ("reboot", "shutdown", "startup")),
    ),
    *absent(
        "This cloud does not add up what projects use over time yet; /limits and /os-quota-sets say what they use now.",
        "GET /os-simple-tenant-usage", "GET /os-simple-tenant-usage/{id}", "GET /os-instance_usage_audit_log",
        "GET /os-instance_usage_audit_log/{id}",
    ),
    *absent("This cloud takes no events from other services: its own are built in.", "POST /os-server-external-events"),
    *absent("This cloud does not show what its hypervisors say of a server yet.", f"GET {_SERVER}/diagnostics"),
    *absent("This cloud lays no NUMA topology out for servers yet.", f"GET {_SERVER}/topology >=2.78"),
    *absent(
        "This cloud has no shared file systems service yet: nothing can be attached.",
        f"GET {_SERVER}/shares >=2.97", f"POST {_SERVER}/shares >=2.97", f"GET {_SERVER}/shares/{{id}} >=2.97",
        f"DELETE {_SERVER}/shares/{{id}} >=2.97",
    ),
]  # fmt: skip
