"""An archive of documents → a model that serves on Calypso, by way of the people who know what is in the documents.

    fetch → convert → preannotate → publish → [people in Label Studio] → collect → finetune → evaluate → promote → roi

records     what passes between the stages, typed
params      a project (project.toml): what its owner decides
site        a machine (label.json): where the services are
workspace   where everything of a project lies, and how records are read and written
flow        the order of the stages; runs each in a process of its own
stages/     one module a stage

Only the stages import the libraries that do the work; everything else runs wherever spark-node runs.
"""
