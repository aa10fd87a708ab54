"""One host: adopt it, then observe → plan → apply → verify."""
