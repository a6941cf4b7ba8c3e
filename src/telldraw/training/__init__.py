"""One loop for every system: examples seen are its clock, and the same command goes on where it stopped."""
