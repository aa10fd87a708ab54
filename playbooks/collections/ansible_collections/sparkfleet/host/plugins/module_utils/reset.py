"""A plan of `reset_plan` → the host as it was before the first apply. Runs ON the host, as root.

Two steps, each safe to repeat after a kill anywhere: `way_in`, after which the caller proves that the host can still be
entered, and `rest`; `settle` waits for one that a killed run left behind. The journal of originals goes last; till then
all can be done again.
"""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

import base64
import fcntl
import glob
import os
import pwd
import shutil

from ansible_collections.sparkfleet.host.plugins.module_utils import (
    before,
    before_paths,
    facts,
    jsontext,
    marker,
    reset_plan,
)

run = reset_plan.run
KEYS = "/etc/ssh/authorized_keys/"
UNITS = facts.UNIT_FOLDER
WAY_IN = ("/etc/ssh", "/etc/sudoers", UNITS + "ssh.service", UNITS + "ssh@.service", UNITS + "ssh.socket")
FIREWALL = "sparkfleet-firewall.service"
GONE_ALREADY = 6  # userdel, groupdel: there is none of that name
UNTIL_REBOOT = {
    "/etc/netplan/90-sparkfleet-connectx.yaml": "the ports keep their addresses until a reboot, or `netplan apply`",
    "/etc/systemd/system/sparkfleet-gpu.service": "clocks and persistence mode stay until the driver is loaded again",
}
# Restarted by their owner: what runs in them would end.
LEFT_RUNNING = ("docker.service", "containerd.service")


class Reset:
    """One reset: what was done, and what was left with the reason."""

    def __init__(self, user):
        """`user`: the automation user, who stays."""
        self.user, self.keys, self.done, self.left = user, KEYS + user, [], {}

    def way_in(self):
        """How the host is entered becomes what it was, but for the automation user's key, which is the one of today."""
        self.keep_keys()
        self.put_back(sorted(path for path in before.records("path") if path.startswith(WAY_IN)))
        if before.records("unit").get(FIREWALL, {}).get("UnitFileState") != "enabled":
            run("systemctl", "disable", "--now", FIREWALL)
            # The guard, when it put an earlier attempt back, loaded the table without the unit: nobody else removes it.
            run("nft", "delete", "table", "inet", "sparkfleet")
        run("systemctl", "daemon-reload")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd -t asks for it; with ssh.socket it may not be there
        code, said = run("sshd", "-t")
        if code:
            raise OSError("sshd refuses what was put back: %s" % said.strip())
        # After a reload a sshd that ssh.socket has started fails to bind the socket's port; a restart keeps sessions.
        # The unit's slice and weights, too, are taken at a start alone.
        run("systemctl", "try-restart", "ssh.service")

    def keep_keys(self):
        """The automation user's home gets the key of today: sshd will look there again, and the key was rotated."""
        keys = key_lines(before.state_of(self.keys))
        path = os.path.join(pwd.getpwnam(self.user).pw_dir, ".ssh/authorized_keys")
        there = key_lines(before.state_of(path))
        if keys and there and key_set(there) != key_set(keys):
            at = os.lstat(path)
            text = "".join(line + "\n" for line in keys)
            marker.replace(path, text.encode(), at.st_mode & 0o7777, at.st_uid, at.st_gid)
            self.done.append("the key of today in %s" % path)

    def stays(self, path, was):
        """Whether a path of the automation user is not put back: an old key must not come to life again."""
        if path != self.keys:
            return path == os.path.dirname(self.keys) and was["kind"] == "absent"
        return key_set(key_lines(was)) != key_set(key_lines(before.state_of(path)))

    def rest(self):
        """Everything else; the journal goes last, so that a run which was killed is repeated whole."""
        before.once("plan", {"first": reset_plan.plan(self.user)})
        found, now = before.records("plan")["first"], reset_plan.plan(self.user)
        if found["tailnet"]:
            self.do("left the tailnet", "timeout", "20s", "tailscale", "logout")
        for verb in ("stop", "disable"):
            for name in now["units"][verb]:
                self.do("%s %s" % (verb, name), "systemctl", verb, name)
        self.packages(now["packages"])
        for path, pointers in now["merged"].items():
            self.unmerge(path, pointers)
        self.put_back(now["paths"])
        self.people(found["people"])
        for name in found["system_accounts"]:
            self.remove_account(name)
        run("systemctl", "stop", "sparkfleet-guard-*")  # of a run that was killed: it would start without end
        # systemd makes them for units with a parameter, and leaves them: jobs, recurring runs, containers.
        run("systemctl", "stop", r"system-spark\x2dnode*.slice", r"system-sparkfleet\x2d*.slice")
        for path in now["ours"]:
            take_away(path)
        self.left.update({path: UNTIL_REBOOT[path] for path in now["paths"] if path in UNTIL_REBOOT})
        self.kernel(now["sysctls"])
        self.serve(now)
        self.put_back(now["paths"], again=True)  # folders that were not empty yet
        self.not_noted()
        self.forget()

    def do(self, what, *command):
        """Run a command; one that fails is told among what was left, and stops nothing."""
        code, said = run(*command)
        if code:
            self.left[what] = (said.strip().splitlines() or ["code %d" % code])[-1]
        else:
            self.done.append(what)
        return not code

    def packages(self, steps):
        """Take away what came with us, in one run; bring back what had to go for it."""
        for name, others in steps["needed"].items():
            self.left["package %s" % name] = "needed by %s" % " ".join(others[:3])
        if steps["purge"]:
            if "auditd" in steps["purge"]:
                run("auditctl", "-D")  # the kernel keeps its rules otherwise
            words = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=300", "purge", *steps["purge"]]
            if not self.do("%d package(s) removed" % len(steps["purge"]), *words):
                raise OSError("apt-get could not remove packages: %s" % self.left.popitem()[1])
        if steps["bring_back"]:
            self.do("brought back %s" % " ".join(steps["bring_back"]), "apt-get", "-y", "-q", "install",
                    "--no-install-recommends", *steps["bring_back"])  # fmt: skip
        for name in steps["newer"]:
            self.left["package %s" % name] = "was upgraded with ours, and stays so"

    def put_back(self, paths, again=False):
        """Make the paths what they were, files before the folders that were made for them."""
        shipped, was = marker.load(), before.records("path")
        for path in sorted(paths, reverse=True):
            now = before.state_of(path)
            if self.stays(path, was[path]):
                continue
            ours = before_paths.is_ours(path, now, shipped.get("managed", {}), shipped.get("secrets", {}))
            if now["kind"] == "file" and not ours and reset_plan.changed(path, was[path]):
                before_paths.put_aside(path)
                self.left[path] = "was edited since: the edited one is in %s" % before_paths.REMOVED
            if not before_paths.make(path, was[path]) and again:
                self.left[path] = "holds what is not ours"
        if paths and not again:
            self.done.append("%d path(s) as they were" % len(paths))

    def unmerge(self, path, pointers):
        """Take our values out of a JSON file that is not ours."""
        try:
            wanted = before_paths.unmerged(path, before.records("merged")[path], pointers)
        except (jsontext.BrokenError, ValueError) as error:
            self.left[path] = "our values are still in it: %s" % error
            return
        if before_paths.differs(wanted, before.state_of(path)):
            before_paths.make(path, dict({"mtime_ns": os.lstat(path).st_mtime_ns}, **wanted))
            self.done.append("our values out of %s" % path)

    def people(self, steps):
        """Accounts that we made go, those that were there stand in the groups they stood in."""
        was = before.records("user")
        for name in steps["remove"]:
            self.remove_person(name)
        for name in steps["join_sudo"]:
            self.do("%s in sudo again" % name, "gpasswd", "--add", name, "sudo")
        for name in steps["leave_sudo"]:
            self.do("%s no longer in sudo" % name, "gpasswd", "--delete", name, "sudo")
        for name in steps["password"]:
            self.do("password of %s as before" % name, "usermod", "--password", was[name]["hash"], name)

    def remove_person(self, name):
        """The account; a home in which somebody has worked stays, for root alone."""
        try:
            home = pwd.getpwnam(name).pw_dir
        except KeyError:
            return
        run("loginctl", "terminate-user", name)
        self.remove_account(name)
        if used(home):
            os.chown(home, 0, 0)
            os.chmod(home, 0o700)  # the next account may be given the same number
            self.left[home] = "holds somebody's files: kept, for root alone"
        elif os.path.isdir(home):
            shutil.rmtree(home)

    def remove_account(self, name):
        """An account and its own group, or a group."""
        code, said = run("userdel", "--force", name)
        if code == GONE_ALREADY:
            code, said = run("groupdel", name)
        if code in (0, GONE_ALREADY):
            self.done.append("account %s" % name)
        else:
            self.left["account %s" % name] = said.strip()

    def kernel(self, sysctls):
        """Kernel settings as they were; some can be changed in one direction alone until the next boot."""
        for key, value in sysctls.items():
            try:
                with open(facts.sysctl_file(key), "w", encoding="ascii") as f:
                    f.write(value)
            except OSError as error:
                self.left[key] = "as it is until a reboot (%s)" % error.strerror

    def serve(self, found):
        """Let systemd and its services take up what was put back."""
        run("systemctl", "daemon-reload")
        for verb in ("enable", "start"):
            for name in found["units"][verb]:
                run("systemctl", verb, name)
        dropped = {
            part[: -len(".d")] for path in found["paths"] for part in path.split("/") if part.endswith(".service.d")
        }
        if any(path.startswith("/etc/systemd/journald") for path in found["paths"]):
            dropped.add("systemd-journald.service")
        for name in sorted(dropped - {"ssh.service"}):
            if name in LEFT_RUNNING:
                self.left[name] = "restart it yourself: what runs in it would end"
            else:
                run("systemctl", "try-restart", name)
        run("systemctl", "reset-failed", "sparkfleet*")
        # Not before: to stop a slice is to stop all that runs in it, a container engine that was put there, say.
        if "populated 1" not in reset_plan.text_of("/sys/fs/cgroup/sparkfleet.slice/cgroup.events"):
            run("systemctl", "stop", "sparkfleet.slice")

    def not_noted(self):
        """Described files of which nothing was noted: they stood there before us, or since an older version."""
        noted, shipped = before.records("path"), marker.load().get("managed", {})
        paths = [key.partition(":")[2] for key in shipped if key.startswith(("file:", "link:"))]
        for path in paths:
            if path not in noted and os.path.lexists(path):
                self.left[path] = "was there already, as described"

    def forget(self):
        """Our own records, the journal of originals last."""
        for path in (*reset_plan.GENERATED, before.FOLDER):
            take_away(path)


def used(home):
    """Whether a home holds more than every new one does."""
    for folder, _folders, names in os.walk(home):
        for name in names:
            path = os.path.join(folder, name)
            skeleton = "/etc/skel/" + os.path.relpath(path, home)
            now, there = before.state_of(path), before.state_of(skeleton)
            if any(now.get(part) != there.get(part) for part in ("kind", "content", "target")):
                return True
    return False


def key_lines(state):
    """The lines that hold a key, of an authorized_keys file in the form of `before.state_of`; none when it is none."""
    if state["kind"] != "file":
        return []
    lines = base64.b64decode(state["content"]).decode(errors="replace").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def key_set(lines):
    """Types and keys, without the comments."""
    return {" ".join(line.split()[:2]) for line in lines}


def take_away(path):
    """A file, a link, or a folder with all below it."""
    for each in glob.glob(path):
        if os.path.isdir(each) and not os.path.islink(each):
            shutil.rmtree(each)
        else:
            os.unlink(each)


def main(request):
    """One step; what it did and left. Raises OSError when it cannot go on; then run it again."""
    if request["do"] == "plan":
        applied = reset_plan.was_applied()
        return {"applied": applied, "plan": reset_plan.plan(request["user"]) if applied else {}}
    # A step whose controller was killed goes on to its end: the next one waits for it, and then finds less to do.
    with open("/run/sparkfleet-reset.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Reset(request["user"])
        if request["do"] == "settle" or not reset_plan.was_applied():
            return {"applied": reset_plan.was_applied(), "done": [], "left": {}}
        if request["do"] == "way-in":
            made.way_in()
        else:
            made.rest()
    return {"applied": True, "done": made.done, "left": made.left}
