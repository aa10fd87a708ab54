"""What sources say (text) → readings (numbers in base units), one file a subject. Pure."""
