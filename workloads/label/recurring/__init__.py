"""A described time → one run of the loop, when it is its turn and nobody else uses the GPU; what became of it is noted.

described   what is to run when (label.json), and which moment was the last one
decide      what is seen of the machine → wait, begin, give way or leave it out; pure
gpu         who computes on the GPU, by systemd's units
record      what became of each, for `spark-node label status` and the exporter
due         all of it, until the run is over
shown       the same as rows of a table
"""
