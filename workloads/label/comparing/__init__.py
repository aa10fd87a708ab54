"""A project's candidates → trained beside one another, asked the same, and the best of them, with how surely it is.

plan         project.toml and reviews → entries: which bases, random seeds and mixes, each with its recipe
room         memory, cores and GPUs → where entries are trained, and how many at once
workers      entries and places → a process a place; what they tell
together     one place's entries → trained in turns, asked about the held-out set (torch, by way of learning)
difference   what each said → how far the best one leads each of the others, and whether that is chance
result       a comparison's records: comparison.json, and how often a test set was looked at
expiry       what was trained and is not the best → gone after some days
page         a comparison → report.html
"""
