"""Reports for people: what is known of a fleet and of prices → figures with their source, date and grade."""
