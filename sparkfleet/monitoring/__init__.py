"""What watches the fleet: Prometheus' answers, its rules, its dashboards."""
