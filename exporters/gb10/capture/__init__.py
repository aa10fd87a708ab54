"""A real machine → one text file that anybody may read: what NVML, /proc, /sys and the tools say, masked.

    python3 -m exporters.gb10.capture [--state "what the machine is doing"]     from a checkout
    python3 -m exporters.gb10.capture --pack capture.py                         the same as one file, to carry away

    nvml     the driver's library, every call that the exporter makes ┐
    machine  files of /proc, /sys, /etc, the kernel log, tools        ├→ scenario (text of the simulator) → masking
    kept     NVML and files written as lines of a scenario            ┘

Reads only; needs no privileges, and says more with them; Python 3.10 and nothing besides. The file is a scenario of the
simulator (lab/gb10), which then behaves like that machine: in tests/captures it becomes a test without any code.
"""
