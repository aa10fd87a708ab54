"""The machine → text: the only place that reads /proc and /sys and that starts a process. Decides nothing."""
