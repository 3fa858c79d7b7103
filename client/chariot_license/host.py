"""What identifies this host: read from the operating system, nothing decided here (Design 9.5, issue "Chariot side").

Everything is optional. A part that is absent, unreadable or a factory placeholder is left out, because a value that
many hosts share would let a license move between them. In a container the parts that change with every new
container are left out too.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from chariot_license import disks, macos
from chariot_license.errors import InputError
from chariot_license.files import NotReadable, read_small
from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.protocol.request import CONTAINERS, VIRTUALS
from chariot_license.surroundings import SYSTEM_CONTAINERS, find_container, find_hypervisor

FACT_NAMES = ("machine_id", "board_uuid", "mac", "disk_serial", "cpu_model", "hostname", "container", "virtual")
MOST_FACTS_BYTES = 64 * 1024

# Letters and digits only; the numbers are identifiers that whole product lines were shipped with.
_PLACEHOLDERS = frozenset({
    "tobefilledbyoem", "tobefilledbyoemstring", "defaultstring", "systemserialnumber", "baseboardserialnumber",
    "serialnumber", "systemproductname", "notspecified", "notapplicable", "notavailable", "notpresent",
    "notset", "none", "null", "na", "unknown", "invalid", "empty", "default", "oem", "uninitialized",
    "undefined", "unspecified", "chassisserialnumber", "noserial", "noasset", "0123456789", "1234567890",
    "123456789", "12345678", "01234567", "0123456789abcdef", "03000200040005000006000700080009",
    "00020003000400050006000700080009", "12345678123456781234567812345678", "123456781234567890abcddeefaabbcc",
})  # fmt: skip
_VIRTUAL_NETWORK = re.compile(r"^(lo$|docker|veth|br[-\d]|virbr|vnet|tun|tap|wg|cni|flannel|cali|ifb|dummy|bond|team)")
_RANDOM_ADDRESS = "1"  # net_device addr_assign_type: generated at every boot


def probe_host(root: Path = Path("/")) -> HostFacts:
    """Return what this host shows of itself, under the file system `root`. Never raises.

    Linux reads /etc, /proc and /sys; macOS asks its own commands (a second at most each). Elsewhere everything
    but the names found is absent.
    """
    if sys.platform == "darwin" and root == Path("/"):
        return macos.probe(real_value)
    container = find_container(root)
    virtual = find_hypervisor(root)
    own_machine_id = container is None or container in SYSTEM_CONTAINERS or _is_mounted(root, "/etc/machine-id")
    serial = disks.root_disk_serial(root, real_value)
    return HostFacts(
        machine_id=_machine_id(root) if own_machine_id else None,
        board_uuid=_board_uuid(root),
        macs=() if container else _physical_macs(root, is_virtual=virtual is not None),
        disk_serial=serial,
        cpu_model=_cpu_model(root),
        hostname=_first_value(root, ("proc/sys/kernel/hostname", "etc/hostname")),
        container=container,
        virtual=virtual,
    )


def load_facts(file: Path) -> HostFacts:
    """Return host facts from a JSON file, in place of the probe: for tests and support only (CHARIOT_HOST_FACTS).

    The object may hold any of FACT_NAMES, each a string or null; `mac` may be a list of strings; `container` and
    `virtual` are words of the protocol. Raises InputError: "host-facts-unreadable", "host-facts-invalid".
    """
    try:
        text = read_small(file, MOST_FACTS_BYTES).decode("utf-8")
    except (NotReadable, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, NotReadable) else "it is no text file"
        raise InputError(
            "host-facts-unreadable", f"The host facts file {file} cannot be read: {reason}. Check CHARIOT_HOST_FACTS."
        ) from error
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad_facts(file, "it is no JSON") from error
    if not isinstance(facts, dict):
        raise _bad_facts(file, f"it must be one JSON object, with any of {', '.join(FACT_NAMES)}")
    for name, value in facts.items():
        if wrong := _wrong_fact(name, value):
            raise _bad_facts(file, wrong)
    mac = facts.pop("mac", None)
    macs = {_normal_mac(item) for item in (mac if isinstance(mac, list) else [mac])}
    values = {name: real_value(value) for name, value in facts.items()}
    for name in ("machine_id", "board_uuid"):
        values[name] = _lower(values.get(name))
    return HostFacts(**values, macs=tuple(sorted(address for address in macs if address)))


def _wrong_fact(name: str, value: object) -> str | None:
    """Say what is wrong with one field of a facts file, by its name."""
    if name not in FACT_NAMES:
        return f"{name!r} is not known; known are {', '.join(FACT_NAMES)}"
    if isinstance(value, list) and name == "mac":
        return None if all(isinstance(item, str) for item in value) else "each of 'mac' must be a text"
    if value is not None and not isinstance(value, str):
        return f"{name!r} must be a text{' or a list of texts' if name == 'mac' else ''}, or null"
    words = {"container": CONTAINERS, "virtual": VIRTUALS}.get(name)
    if words and value is not None and value not in words:
        return f"{name!r} must be one of {', '.join(words)}, or null"
    return None


def real_value(text: str | None) -> str | None:
    """Return `text` trimmed, or None when it is empty or a placeholder the factory left in."""
    value = " ".join((text or "").replace("\x00", " ").split())
    letters = "".join(c for c in value.lower() if c.isalnum())
    if letters in _PLACEHOLDERS or len(set(letters)) < 2:
        return None
    return value if value.isprintable() else None


def _machine_id(root: Path) -> str | None:
    value = _lower(_first_value(root, ("etc/machine-id", "var/lib/dbus/machine-id")))
    return value if value and re.fullmatch(r"[0-9a-f]{32}", value) else None


def _board_uuid(root: Path) -> str | None:
    # Boards without DMI (most ARM gateways) carry their serial number in the device tree.
    places = ("product_uuid", "board_serial")
    return _lower(
        _first_value(
            root, (*(f"sys/class/dmi/id/{name}" for name in places), "sys/firmware/devicetree/base/serial-number")
        )
    )


def _physical_macs(root: Path, is_virtual: bool) -> tuple[str, ...]:
    """Return the addresses burnt into network cards.

    A locally administered address on real hardware is a randomised or a made-up one. The network card of a
    virtual machine often has no other (KVM, clouds), and keeps it, unless the kernel says it was drawn at boot.
    """
    found = set()
    for interface in _listed(root / "sys/class/net"):
        if _VIRTUAL_NETWORK.match(interface.name) or not (interface / "device").exists():
            continue
        if "virtual" in interface.resolve().relative_to(root.resolve()).parts:
            continue
        if (_read(interface / "addr_assign_type") or "").strip() == _RANDOM_ADDRESS:
            continue
        # The cards of a bond all show the bond's address; their own one is kept here.
        permanent = _read(interface / "bonding_slave/perm_hwaddr")
        address = _normal_mac(permanent or _read(interface / "address"))
        if address and (is_virtual or not int(address[:2], 16) & 2):
            found.add(address)
    return tuple(sorted(found))


def _normal_mac(text: str | None) -> str | None:
    digits = re.sub(r"[^0-9a-f]", "", (text or "").lower())
    if len(digits) != 12 or len(set(digits)) == 1 or int(digits[:2], 16) & 1:
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def _cpu_model(root: Path) -> str | None:
    lines = (_read(root / "proc/cpuinfo") or "").splitlines()
    pairs = [(name.strip(), value) for name, _, value in (line.partition(":") for line in lines)]
    for wanted in ("model name", "Model", "Hardware", "cpu model", "cpu"):
        for name, value in pairs:
            if name == wanted and (model := real_value(value)):
                return model
    return None


def _is_mounted(root: Path, path: str) -> bool:
    lines = (_read(root / "proc/self/mountinfo") or "").splitlines()
    return any(len(fields := line.split()) > 4 and fields[4] == path for line in lines)


def _first_value(root: Path, paths: Iterable[str]) -> str | None:
    return next((value for path in paths if (value := real_value(_read(root / path)))), None)


def _read(path: Path) -> str | None:
    return disks.read_text(path)


def _listed(folder: Path) -> list[Path]:
    return disks.listed(folder)


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


def _bad_facts(file: Path, why: str) -> InputError:
    return InputError("host-facts-invalid", f"The host facts file {file} cannot be used: {why}.")
