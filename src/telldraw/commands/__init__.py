"""One module per command: the only place that wires data, systems, training, metrics and drawing together."""
