"""Simulated Sparks, each in a fault of its own, under the eyes of a real Prometheus and Alertmanager."""
