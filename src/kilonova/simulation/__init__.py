"""What a fleet would do with a workload under a policy: the scheduler's own decisions over a trace, on a simulated clock."""
