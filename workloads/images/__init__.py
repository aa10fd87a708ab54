"""What runs inside of containers, each program one file that is mounted into an image as it is."""
