"""Programs that run on the hosts and turn what a machine says into metrics; they import nothing of the controller."""
