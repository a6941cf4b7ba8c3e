"""Drawn faces: what they are like, how they are painted, what is said of them."""
