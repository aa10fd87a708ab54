"""One module a verb of `spark`: its arguments, what it calls, how its answer is shown."""
