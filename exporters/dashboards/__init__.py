"""What all our Grafana dashboards share: panels in one style, limits where alerts fire, JSON that is kept.

Not part of any running exporter: it needs grafana-foundation-sdk.
"""
