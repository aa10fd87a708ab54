"""The exporter and its peers on one machine: started alike, scraped alike, measured alike."""
