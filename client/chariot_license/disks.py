"""The serial number of the disk this system stands on, from Linux's /proc and /sys."""

import re
from collections.abc import Callable
from pathlib import Path

_PSEUDO_DISK = re.compile(r"^(loop|ram|zram|sr|fd|nbd|md|dm-)")
_MOST_BYTES = 64 * 1024
Filter = Callable[[str | None], str | None]


def root_disk_serial(root: Path, real_value: Filter) -> str | None:
    """Return the serial of the disk that holds "/", else of the first fixed disk that has one, else None.

    `real_value` drops placeholders. In a container "/" is no disk, and the host's first fixed disk answers.
    """
    for disk in [*_disks_under(root, _root_device(root), depth=0), *_fixed_disks(root)]:
        if serial := _serial(disk, real_value):
            return serial
    return None


def read_text(path: Path) -> str | None:
    """Return at most 64 KiB of a file's text, or None when it is absent or unreadable."""
    data = _read_bytes(path)
    return None if data is None else data.decode("utf-8", "replace")


def listed(folder: Path) -> list[Path]:
    """Return the entries of a folder by name; none when it is absent or unreadable."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _root_device(root: Path) -> Path | None:
    """Return the /sys folder of the block device mounted on "/"."""
    for line in (read_text(root / "proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        fields, source = before.split(), after.split()
        if len(fields) < 5 or fields[4] != "/":
            continue
        device = root / "sys/dev/block" / fields[2]
        if device.exists():
            return device.resolve()
        # btrfs shows an anonymous device number; its source still names the partition.
        if len(source) > 1 and source[1].startswith("/dev/"):
            name = (root / source[1].lstrip("/")).resolve().name
            device = root / "sys/class/block" / name
            if device.exists():
                return device.resolve()
    return None


def _disks_under(root: Path, device: Path | None, depth: int) -> list[Path]:
    """Return the whole disks below a partition, a volume or an array, in order of name."""
    if device is None or depth > 8:
        return []
    slaves = listed(device / "slaves")
    if slaves:
        return [disk for slave in slaves for disk in _disks_under(root, slave.resolve(), depth + 1)]
    if (device / "partition").exists():
        return [device.parent]
    return [device]


def _fixed_disks(root: Path) -> list[Path]:
    return [
        disk
        for disk in listed(root / "sys/block")
        if not _PSEUDO_DISK.match(disk.name) and (read_text(disk / "removable") or "0").strip() == "0"
    ]


def _serial(disk: Path, real_value: Filter) -> str | None:
    """Return a disk's serial: NVMe and MMC, virtio, SCSI and SATA, else the world-wide name."""
    for name in ("device/serial", "serial"):
        if value := real_value(read_text(disk / name)):
            return value
    page = _read_bytes(disk / "device/vpd_pg80")
    # SPC-4, 7.8.15 Unit Serial Number page: four bytes of header, the length in the last two.
    if (
        page
        and len(page) > 4
        and (value := real_value(page[4 : 4 + int.from_bytes(page[2:4], "big")].decode("ascii", "replace")))
    ):
        return value
    for name in ("wwid", "device/wwid"):
        if value := real_value(read_text(disk / name)):
            return value
    return None


def _read_bytes(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return None
