"""A Debian machine → a fleet to try sparkfleet on: Spark stand-ins, an object store, the Pulumi command.

    python -m lab up --sparks 2        (or `make up`)

Real: systemd, SSH, apt, nftables, the Pulumi engine, S3 and IAM. Simulated, and labelled so: the GB10, its firmware
files, DGX OS (the stand-ins run Debian). Nothing of sparkfleet is imported here, and nothing but tests and bench
imports the lab.

instance  which lab this is: name, addresses, folder
record    what runs, so that `down` finds it after any crash
network   bridge, masquerade, forwarding        spark/      stand-ins in factory state
store     S3 and IAM servers                    toolchain/  pulumi, versitygw, tailscale from pinned Go modules
                                                tailnet/    with `--tailnet`: real tailscaled, a control server of ours
up, down, env, cli                              the verbs
"""
