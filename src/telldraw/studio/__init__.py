"""The studio: drawings in a browser, and for other programs over HTTP. Nothing here leaves the machine."""
