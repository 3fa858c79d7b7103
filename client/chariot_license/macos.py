"""What identifies a Mac. macOS keeps it behind commands, so each is asked with a short time limit."""

import platform
import re
import subprocess
from collections.abc import Callable

from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.surroundings import SOME_VM

SECONDS = 3.0


def probe(real_value: Callable[[str | None], str | None]) -> HostFacts:
    """Return what this Mac shows; `real_value` drops placeholders. Never raises.

    macOS has no machine id file; the serial number of the machine stands in its place.
    """
    return facts_from(
        real_value,
        registry=_asked("/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"),
        address=_asked("/usr/sbin/networksetup", "-getmacaddress", "en0"),
        processor=_asked("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"),
        virtual=_asked("/usr/sbin/sysctl", "-n", "kern.hv_vmm_present"),
        hostname=platform.node(),
    )


def facts_from(
    real_value: Callable[[str | None], str | None],
    *,
    registry: str,
    address: str,
    processor: str,
    virtual: str,
    hostname: str,
) -> HostFacts:
    """Read the answers of the commands above."""
    found = re.search(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", address.lower())
    # A locally administered address is the privacy address of a Wi-Fi network, and changes.
    mac = found.group() if found and not int(found.group()[:2], 16) & 3 else None
    uuid = real_value(_registry_value(registry, "IOPlatformUUID"))
    return HostFacts(
        machine_id=real_value(_registry_value(registry, "IOPlatformSerialNumber")),
        board_uuid=uuid.lower() if uuid else None,
        macs=(mac,) if mac else (),
        disk_serial=None,
        cpu_model=real_value(processor),
        hostname=real_value(hostname),
        container=None,
        virtual=SOME_VM if virtual.strip() == "1" else None,
    )


def _registry_value(registry: str, name: str) -> str | None:
    found = re.search(rf'"{name}"\s*=\s*"([^"]*)"', registry)
    return found.group(1) if found else None


def _asked(*command: str) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout if answer.returncode == 0 else ""
