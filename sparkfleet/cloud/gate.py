"""A Pulumi program's AWS resources → none of them is asked for unless the checks find no fault in any.

Pulumi sends nothing while the program still runs, so that the whole list can be judged before the first request. A
policy whose text is known only once another resource is made is judged then, before its own request is sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import Output, ResourceOptions, ResourceTransformationArgs, ResourceTransformationResult

from sparkfleet.cloud import checks, documents
from sparkfleet.errors import SparkfleetError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Gate:
    """A transformation for one component and all below it: `ResourceOptions(transformations=[Gate()])`."""

    def __init__(self) -> None:
        self.asked: list[checks.Asked] = []
        self._verdict: Output[list[pulumi.Resource]] | None = None

    def __call__(self, args: ResourceTransformationArgs) -> ResourceTransformationResult:
        """Note what is asked for, and let it wait for the verdict over all."""
        self.asked.append(_asked(args))
        if self._verdict is None:
            self._verdict = Output.from_input(self._judge())
        # No dependency comes of it: the list that is waited for is empty.
        opts = ResourceOptions.merge(args.opts, ResourceOptions(depends_on=self._verdict))
        return ResourceTransformationResult(_with_judged_documents(args), opts)

    async def _judge(self) -> list[pulumi.Resource]:
        """Runs when the program has ended, and with it the list."""
        if faults := checks.faults(self.asked):
            refusal = _refusal(faults)
            _tell_once(refusal)
            raise refusal
        return []


def _refusal(faults: list[str]) -> pulumi.RunError:
    """Pulumi shows a RunError without a traceback: the message is meant for whoever changed the component."""
    said = SparkfleetError(
        "the cloud part was refused; nothing with a fault was made:\n" + "\n".join(f"    {f}" for f in faults),
        usually="a component lost a protection that it had",
        next_step="mend the component; sparkfleet/cloud/checks.py says what each resource must have, and why",
    )
    return pulumi.RunError(str(said))


def _tell_once(refusal: pulumi.RunError) -> None:
    """Pulumi ends with the first failed resource; asyncio would tell of all others, each with a traceback."""

    def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if context.get("exception") is not refusal:
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(told)


def _asked(args: ResourceTransformationArgs) -> checks.Asked:
    parent = args.opts.parent
    protect = args.opts.protect if args.opts.protect is not None else bool(parent and parent._protect)  # noqa: SLF001
    return checks.Asked(
        args.type_,
        args.name,
        _plain({key: value for key, value in args.props.items() if value is not None}),
        parent=id(parent),
        protected=bool(protect),
        outlives=bool(args.opts.retain_on_delete),
    )


def _with_judged_documents(args: ResourceTransformationArgs) -> Mapping[str, Any]:
    """The properties, with each policy that is not known yet judged as soon as it is."""
    props = dict(args.props)
    for key, value in args.props.items():
        engines = _camel(key)
        if engines in documents.KEYS and isinstance(value, Output):

            def judged(text: str, key: str = engines) -> str:
                if faults := checks.document_faults(args.type_, args.name, key, text):
                    raise _refusal(faults)
                return text

            props[key] = value.apply(judged)
    return props


def _plain(value: Any) -> Any:
    """Properties in the engine's spelling, what is not known yet as UNKNOWN."""
    if isinstance(value, Output):
        return checks.UNKNOWN
    if isinstance(value, dict):
        return {_camel(key): _plain(part) for key, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if pulumi._types.is_input_type(type(value)):  # noqa: SLF001
        return _plain(pulumi._types.input_type_to_untranslated_dict(value))  # noqa: SLF001
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
