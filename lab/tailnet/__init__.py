"""A lab → a tailnet of its own: real tailscaled programs, a control server of ours, and this machine in it.

    tailnet.up(instance, hosts, tools)  # stand-ins can now `apt-get install tailscale`, and join
    tailnet.admin(instance).set_address("spark-01", "100.64.0.99")

control     the control server, and the key that the stand-ins join with
controller  this machine's way in: a namespace with a tailscaled of its own, and a route to it
admin       what tests and drills ask of the control server
package     the built programs → the package `tailscale`, in an apt source inside the stand-ins
"""

from lab.tailnet.admin import Admin, Node, admin
from lab.tailnet.control import auth_key_file, running
from lab.tailnet.up import offer, up

__all__ = ["Admin", "Node", "admin", "auth_key_file", "offer", "running", "up"]
