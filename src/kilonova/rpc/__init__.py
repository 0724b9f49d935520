"""The bus: typed messages, and the transports that carry them."""
