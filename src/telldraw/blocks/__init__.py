"""Parts of networks that more than one system is made of, or that are a paper of their own."""
