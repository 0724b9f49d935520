"""The attacks that this cloud has to stand, as a program against a simulated cloud that runs."""
