"""Metric families → what every exporter of ours says over HTTP: the exposition, its pages, TLS and passwords.

text of a scrape → pages ─→ server → connections
web_config ┘ passwords
"""
