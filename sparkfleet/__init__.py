"""One fleet description → Sparks that are provisioned, watched and verified.

The flow, one module a step (docs: README.md):
config → model ┬→ cloud (Pulumi resources)
               └→ host.desired → host.observe → host.plan → host.apply → host.verify
"""
