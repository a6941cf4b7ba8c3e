"""CLEVR's stage: its geometry, two engines that draw it, and sequences of instructions with the scenes they make."""
