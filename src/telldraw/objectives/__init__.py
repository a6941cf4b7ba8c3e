"""What is minimised: pure functions of tensors, without state, each citing its equation."""
