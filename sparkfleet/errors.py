"""Every way sparkfleet can fail, as one small tree → one exit code each.

A message says what happened, what it usually means and what to do next. Only `cli.main` prints them and exits.

SparkfleetError            1   a fault of ours, or one without a name of its own
├── ConfigError            3   the fleet description is wrong: every fault at once, each with its path
├── UnreachableError       4   a host did not answer, or answered as somebody else
├── ApplyError             5   a host could not be brought to the described state
├── VerifyError            6   a check of the compliance pack failed
├── AdoptError             7   a machine cannot be adopted as it is
├── StoreError             9   the object store or its identities refused
├── LockedError           10   another run holds the host
├── LockdownError         11   the new way in could not be proven; the host has put its old state back
├── RotationError         12   a key could not be replaced with proof; at least one way in is left
├── UpgradeError          13   an upgrade or a round of reboots stopped at a host; the hosts after it are untouched
├── ResetError            14   a host could not be made what it was before the first apply
└── AlignmentError        15   a host is not aligned with the Triton server, or nobody can tell
"""

from __future__ import annotations

from sparkfleet.text import printable_lines

OK = 0
USAGE = 2  # click's own
DIFFERS = 8  # not an error: `--detailed-exitcode` of `spark plan` or `spark status` found something to do
INTERRUPTED = 130
UNREAD = 141  # who read the output left before its end; 128 and SIGPIPE, as of any program in a pipe


class SparkfleetError(Exception):
    """What happened; `usually` says what it mostly means, `next_step` what to do about it."""

    exit_code = 1

    def __init__(self, what: str, *, usually: str = "", next_step: str = "") -> None:
        """Keep the three parts apart, so that the CLI can lay them out and Pulumi print them in one line.

        Whoever quotes a host makes that printable; this is the net beneath, which leaves only line breaks.
        """
        self.what, self.usually, self.next_step = map(printable_lines, (what, usually, next_step))
        super().__init__(str(self))

    def __str__(self) -> str:
        """One paragraph; Pulumi shows exceptions of a dynamic provider in one piece."""
        parts = [self.what]
        if self.usually:
            parts.append(f"This usually means: {self.usually}")
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        return "\n  ".join(parts)


class ConfigError(SparkfleetError):
    """The fleet description is wrong; `faults` holds one line a fault, each starting with its full path."""

    exit_code = 3

    def __init__(self, faults: list[str], *, where: str = "") -> None:
        """Show all faults together, so that one run is enough to mend them."""
        self.faults = faults
        place = f" in {where}" if where else ""
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{count}{place}; nothing was touched:\n" + "\n".join(f"    {f}" for f in faults))


class UnreachableError(SparkfleetError):
    """A host did not answer, or its host key is not the pinned one."""

    exit_code = 4


class ApplyError(SparkfleetError):
    """A host could not be brought to the described state."""

    exit_code = 5


class VerifyError(SparkfleetError):
    """At least one check of the compliance pack failed without a waiver."""

    exit_code = 6


class AdoptError(SparkfleetError):
    """A machine cannot be adopted as it is, or its owner did not confirm."""

    exit_code = 7


class StoreError(SparkfleetError):
    """The object store or its identity service refused a request."""

    exit_code = 9


class LockedError(SparkfleetError):
    """Another run holds the host; the message says whose, and since when."""

    exit_code = 10


class LockdownError(SparkfleetError):
    """The new way in could not be proven by a new connection; the old state is back, or comes back by itself."""

    exit_code = 11


class RotationError(SparkfleetError):
    """A key or credential could not be replaced with proof; the message says which one is valid now."""

    exit_code = 12


class UpgradeError(SparkfleetError):
    """An upgrade or a round of reboots stopped at a host that is not well; the hosts after it were not touched."""

    exit_code = 13


class ResetError(SparkfleetError):
    """A host could not be made what it was before the first apply; run again, the reset goes on."""

    exit_code = 14


class AlignmentError(SparkfleetError):
    """A host is not aligned with the Triton server, nobody can tell, or the server is not the described one."""

    exit_code = 15
