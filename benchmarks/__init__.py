"""What the design's budgets are held against: `make bench`, or `python -m benchmarks [NAME…] [--quick]`."""
