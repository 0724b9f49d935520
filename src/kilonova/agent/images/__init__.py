"""Images on a host: fetched once, inspected, and made into disks."""
