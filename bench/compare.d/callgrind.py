"""Reads callgrind's files: instructions of our own code, and what was spent inside the calls that leave it."""

import collections
import dataclasses
import re

POSITION = re.compile(r"^(ob|fn|cob|cfn)=\((\d+)\)(?: (.*))?$")
PROVIDER = re.compile(r"/lib(ibverbs|rdmacm|fabric|efa|mlx\d+|bnxt_re|\w+-rdmav\d+)\b[^/]*$")
LIBC = re.compile(r"/libc(-[\d.]+)?\.so[^/]*$")
SYSTEM_CALL = re.compile(r"^(__)?(syscall|write|ioctl|read|poll|ppoll)\b")


@dataclasses.dataclass
class Profile:
    """own: {(object, function): its own instructions}; outside: those inside calls into the provider or the kernel."""

    own: collections.Counter
    outside: int = 0

    @property
    def ours(self):
        return sum(self.own.values()) - self.outside


def is_outside(object_path, function):
    """libibverbs and its drivers, and libc's doors to the kernel; all that these call counts with them."""
    return bool(PROVIDER.search(object_path) or (LIBC.search(object_path) and SYSTEM_CALL.match(function)))


def is_ours(object_path):
    return not PROVIDER.search(object_path) and not LIBC.search(object_path)


def read_profile(text):
    """A name stands once, behind its number; later lines give the number alone. The line behind calls= is the callee's cost with all
    that it called in turn."""
    names = {"ob": {}, "fn": {}}
    here = {"ob": "", "fn": ""}
    profile = Profile(collections.Counter())
    is_call = False
    for line in text.splitlines():
        match = POSITION.match(line)
        if match:
            kind, number, name = match.groups()
            known = names[kind[-2:]]
            if name is not None:
                known[number] = name
            here[kind] = known[number]
        elif line.startswith("calls="):
            is_call = True
        elif line[:1] in ("+", "-", "*") or line[:1].isdigit():
            instructions = int(line.split()[1])
            if not is_call:
                profile.own[here["ob"], here["fn"]] += instructions
            elif is_ours(here["ob"]) and is_outside(here.get("cob", here["ob"]), here.get("cfn", "")):
                profile.outside += instructions
            if is_call:
                here.pop("cob", None)
            is_call = False
    return profile
