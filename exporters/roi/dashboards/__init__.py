"""The label loop's metrics → its Grafana dashboard, as code; the JSON beside this file is what is shipped.

python -m exporters.roi.dashboards        writes the JSON anew; a test fails when it differs
"""
