"""The exporter's metrics → Grafana dashboards, as code; the JSON beside this file is what is shipped.

    python -m exporters.gb10.dashboards        writes the JSON anew; a test fails when it differs

Not part of the running exporter: it needs grafana-foundation-sdk, and the zipapp leaves this folder out.
"""
