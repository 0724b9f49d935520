"""Where a server goes, and why: filters, weighers, and the explanation of each decision."""
