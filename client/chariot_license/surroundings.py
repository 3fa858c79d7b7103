"""The container and the virtual machine this process runs in, in the protocol's own words (docs/protocol.md).

A request carries CONTAINERS and VIRTUALS as numbers; whatever has no word of its own there is "container" or "vm".
"""

import re
from pathlib import Path

from chariot_license.disks import read_text
from chariot_license.protocol.request import CONTAINERS, VIRTUALS

SOME_CONTAINER, SOME_VM = CONTAINERS[0], VIRTUALS[0]
# Containers that boot a system of their own: their machine id lasts as long as a virtual machine's.
SYSTEM_CONTAINERS = frozenset({"lxc", "openvz", "systemd-nspawn", "wsl"})

# What systemd and container engines call themselves, where the protocol says it otherwise.
CONTAINER_ALIASES = {"crio": "cri-o", "lxc-libvirt": "lxc", "kube": "kubernetes", "nspawn": "systemd-nspawn"}
CONTAINER_WORDS = (
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("containers/storage", "podman"),
    ("docker", "docker"),
    ("crio", "cri-o"),
    ("containerd", "containerd"),
    ("machine-rkt", "rkt"),
    ("lxc", "lxc"),
)
# In the vendor, product and firmware names of the machine. A cloud comes before the software it is built on.
FIRMWARE_WORDS = (
    (r"amazon ec2|\.amazon\b", "aws"),
    (r"google compute engine", "gcp"),
    (r"digitalocean", "digitalocean"),
    (r"openstack", "openstack"),
    (r"nutanix ahv", "nutanix"),  # Nutanix alone also builds hardware
    (r"vmware|\bvmw\b", "vmware"),
    (r"virtualbox|innotek", "virtualbox"),  # Oracle alone also builds hardware
    (r"microsoft corporation virtual machine|hyper-v", "hyper-v"),
    (r"parallels", "parallels"),
    (r"\bbhyve\b", "bhyve"),
    (r"\bxen\b", "xen"),
    (r"\bkvm\b|kubevirt|rhev hypervisor|ovirt", "kvm"),
    (r"qemu", "qemu"),
    (r"apple virtualization|\bbochs\b|alibaba cloud ecs|hetzner vserver", SOME_VM),
)
_REAL_AMAZON = re.compile(r"amazon ec2.*\.metal")
_FIRMWARE_NAMES = ("sys_vendor", "product_name", "bios_vendor", "bios_version")
# In the device tree of a guest without DMI (ARM, POWER).
DEVICE_TREE_WORDS = ((r"vmware", "vmware"), (r"\bxen\b", "xen"), (r"\bkvm\b", "kvm"), (r"dummy-virt|qemu", "qemu"))
HYPERVISOR_TYPES = {"xen": "xen", "kvm": "kvm"}


def find_container(root: Path) -> str | None:
    """Return the kind of container this process runs in, a word of CONTAINERS, or None."""
    if _exists(root / "var/run/secrets/kubernetes.io") or _exists(root / "run/secrets/kubernetes.io"):
        return "kubernetes"
    if _exists(root / "run/.containerenv"):
        return "podman"
    if _exists(root / ".dockerenv"):
        return "docker"
    if named := (_text(root / "run/systemd/container") or _container_variable(root)).strip():
        return container_word(named)
    for path in ("proc/1/cgroup", "proc/self/cgroup"):
        if kind := _first(CONTAINER_WORDS, _text(root / path)):
            return kind
    for line in _text(root / "proc/self/mountinfo").splitlines():
        fields = line.split()
        # Only the root file system tells: a host that runs containers has their overlays mounted too.
        if len(fields) > 6 and fields[4] == "/" and " - overlay " in line and (kind := _first(CONTAINER_WORDS, line)):
            return kind
    if _exists(root / "proc/vz") and not _exists(root / "proc/bc"):  # a host of OpenVZ has both
        return "openvz"
    return "wsl" if re.search(r"microsoft|wsl", _text(root / "proc/sys/kernel/osrelease").lower()) else None


def find_hypervisor(root: Path) -> str | None:
    """Return the kind of virtual machine this is, a word of VIRTUALS, or None."""
    if "control_d" in _text(root / "proc/xen/capabilities"):
        return None  # the host of Xen's guests, which is a guest itself by every other sign
    names = (_text(root / "sys/class/dmi/id" / name) for name in _FIRMWARE_NAMES)
    firmware = " ".join(" ".join(names).lower().split())
    if _REAL_AMAZON.search(firmware):
        return None
    if kind := _first(FIRMWARE_WORDS, firmware):
        return kind
    if named := _text(root / "sys/hypervisor/type").strip().lower():
        return HYPERVISOR_TYPES.get(named, SOME_VM)
    tree = root / "sys/firmware/devicetree/base"
    if guest := _text(tree / "hypervisor/compatible"):
        return _first(DEVICE_TREE_WORDS, guest) or SOME_VM
    if kind := _first((DEVICE_TREE_WORDS[-1],), _text(tree / "compatible")):
        return kind
    flags = re.search(r"^flags\s*:(.*)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return SOME_VM if flags and "hypervisor" in flags.group(1).split() else None


def container_word(name: str) -> str:
    """Return the protocol's word for a container that calls itself `name`."""
    plain = name.strip().lower()
    plain = CONTAINER_ALIASES.get(plain, plain)
    return plain if plain in CONTAINERS else SOME_CONTAINER


def _first(table: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((kind for pattern, kind in table if re.search(pattern, text)), None)


def _container_variable(root: Path) -> str:
    variables = (line.partition("=") for line in _text(root / "proc/1/environ").split("\x00"))
    return next((value for name, _, value in variables if name == "container"), "")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder above it is closed to us
        return False


def _text(path: Path) -> str:
    return read_text(path) or ""
