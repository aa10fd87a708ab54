"""What runs on a Spark: datasets staged, memory guarded; later labels, recipes and benches."""
