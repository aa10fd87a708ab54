"""Bases and locks → images of the label loop, each inspected and pinned by its digest; and what runs inside of them.

build       bases, locks, code → a folder to build from, and the words for the engine (pure)
engine      podman or docker: the one place that runs it
commands    `spark-node images build | scan | list`
layers      an image as the engine saves it → what its layers hold, and what is seen when they lie on one another
scan        that → setuid files, secrets, packages
materials   packages → a CycloneDX document; runs in the image `tools`, as inspecting does
entry, health   in the images: files with secrets → a server in this process's place; whether it answers
gpu_selftest    in any image: whether it really computes on the GPU
"""
