"""The probe of the host, over file trees as Linux shows them, and the facts file that stands in for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from chariot_license.host import probe_host, real_value
from chariot_license.protocol.fingerprint import HostFacts

MACHINE_ID = "3f1c9a5be2d94c0f8a7765d1e0b4c2aa"
UUID = "8a1b4c6d-12ef-4a90-9c33-0f5e7d2b6a18"
MAC = "00:1b:21:3c:9d:e8"
CPU = "processor\t: 0\nmodel name\t: Intel(R) Atom(TM) E3940\nflags\t\t: fpu vme\n"
VM_CPU = CPU.replace("vme", "vme hypervisor")


class Tree:
    """A file system tree under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def file(self, path: str, content: str | bytes = "") -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def link(self, path: str, target: str) -> None:
        """`target` is a path from the root of the tree; the link is relative, as all of /sys are."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        ups = "../" * path.count("/")
        place.symlink_to(ups + target)

    def card(self, name: str, address: str, *, device: str | None = "pci0000:00/0000:00:1f.6", kind: str = "0") -> None:
        """A network interface; without a device it is a virtual one."""
        home = f"sys/devices/{device}/net/{name}" if device else f"sys/devices/virtual/net/{name}"
        self.file(f"{home}/address", address + "\n")
        self.file(f"{home}/addr_assign_type", kind + "\n")
        if device:
            self.link(f"{home}/device", f"sys/devices/{device}")
        self.link(f"sys/class/net/{name}", home)

    def disk(self, name: str, number: str, *, removable: str = "0", **files: str | bytes) -> str:
        home = f"sys/devices/pci0000:00/disk/{name}"
        self.file(f"{home}/removable", removable + "\n")
        for path, content in files.items():
            self.file(f"{home}/{path.replace('__', '/')}", content)
        self.link(f"sys/block/{name}", home)
        self.link(f"sys/dev/block/{number}", home)
        self.link(f"sys/class/block/{name}", home)
        return home

    def partition(self, disk_home: str, name: str, number: str) -> None:
        home = f"{disk_home}/{name}"
        self.file(f"{home}/partition", "2\n")
        self.link(f"sys/dev/block/{number}", home)
        self.link(f"sys/class/block/{name}", home)

    def mounted(self, number: str, source: str, kind: str = "ext4") -> None:
        self.file(
            "proc/self/mountinfo",
            f"22 1 0:21 / /proc rw - proc proc rw\n25 1 {number} / / rw,relatime shared:1 - {kind} {source} rw\n",
        )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def machine(tree: Tree) -> Tree:
    """A real machine with everything on it."""
    tree.file("etc/machine-id", MACHINE_ID + "\n")
    tree.file("sys/class/dmi/id/product_uuid", UUID.upper() + "\n")
    tree.file("sys/class/dmi/id/sys_vendor", "Advantech\n")
    tree.file("proc/cpuinfo", CPU)
    tree.file("proc/sys/kernel/hostname", "plant-7\n")
    tree.card("enp0s31f6", MAC)
    home = tree.disk("sda", "8:0", device__vpd_pg80=b"\x00\x80\x00\x14      S4EWNX0R512345")
    tree.partition(home, "sda2", "8:2")
    tree.mounted("8:2", "/dev/sda2")
    return tree


def test_a_real_machine_shows_every_part(machine: Tree) -> None:
    assert probe_host(machine.root) == HostFacts(
        machine_id=MACHINE_ID,
        board_uuid=UUID,
        macs=(MAC,),
        disk_serial="S4EWNX0R512345",
        cpu_model="Intel(R) Atom(TM) E3940",
        hostname="plant-7",
        container=None,
        virtual=None,
    )


def test_an_empty_tree_shows_nothing_and_raises_nothing(tmp_path: Path) -> None:
    assert probe_host(tmp_path) == HostFacts()
    assert probe_host(tmp_path / "missing") == HostFacts()


def test_unreadable_parts_are_left_out(machine: Tree) -> None:
    # A folder in place of each file fails to read for root as well.
    for path in ("etc/machine-id", "sys/class/dmi/id/product_uuid", "proc/cpuinfo"):
        (machine.root / path).unlink()
        (machine.root / path).mkdir()
    seen = probe_host(machine.root)
    assert (seen.machine_id, seen.board_uuid, seen.cpu_model) == (None, None, None)
    assert seen.disk_serial == "S4EWNX0R512345"


def test_the_real_host_can_be_probed() -> None:
    assert isinstance(probe_host(), HostFacts)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("sys/class/dmi/id/board_serial", "BSS-0A1B2C\n"),
        ("sys/firmware/devicetree/base/serial-number", "bss-0a1b2c\x00"),
    ],
)
def test_a_board_without_a_uuid_is_named_by_its_serial(tree: Tree, file: str, content: str) -> None:
    tree.file(file, content)
    assert probe_host(tree.root).board_uuid == "bss-0a1b2c"


def test_the_old_place_of_the_machine_id(tree: Tree) -> None:
    tree.file("var/lib/dbus/machine-id", MACHINE_ID)
    assert probe_host(tree.root).machine_id == MACHINE_ID


@pytest.mark.parametrize("content", ["", "uninitialized\n", "0" * 32, "f" * 32, "3f1c9a5b"])
def test_a_machine_id_that_is_none(tree: Tree, content: str) -> None:
    tree.file("etc/machine-id", content)
    assert probe_host(tree.root).machine_id is None


@pytest.mark.parametrize(
    "text",
    [
        "To be filled by O.E.M.",
        "to be filled by o.e.m",
        "Not Specified",
        "None",
        "N/A",
        "Default string",
        "System Serial Number",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009",
        "12345678-1234-5678-90AB-CDDEEFAABBCC",
        "0123456789",
        "........",
        "xxxxxxxx",
        " \n",
        "\x01\x02bad",
        None,
    ],
)
def test_placeholders_are_no_values(text: str | None) -> None:
    assert real_value(text) is None


@pytest.mark.parametrize("text", ["S4EWNX0R512345", "QM00001", "None-7", "WD-0123456789A"])
def test_real_values_stay(text: str) -> None:
    assert real_value(f" {text}\x00\n") == text


class TestNetworkCards:
    def test_only_cards_with_a_device_count(self, tree: Tree) -> None:
        tree.card("eno1", MAC)
        tree.card("lo", "00:00:00:00:00:00", device=None)
        for name in ("docker0", "veth12ab", "br-7f", "virbr0", "tun0", "bond0", "ifb0", "vlan7"):
            tree.card(name, "00:1b:21:00:00:01", device=None)
        assert probe_host(tree.root).macs == (MAC,)

    def test_names_of_virtual_networks_are_dropped_even_with_a_device(self, tree: Tree) -> None:
        tree.card("virbr0", MAC)
        assert probe_host(tree.root).macs == ()

    def test_a_device_below_the_virtual_bus_is_none(self, tree: Tree) -> None:
        tree.card("hwsim0", MAC, device="virtual/mac80211_hwsim/hwsim0")
        assert probe_host(tree.root).macs == ()

    @pytest.mark.parametrize("address", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "", "a0:b1"])
    def test_what_is_no_address_of_a_card(self, tree: Tree, address: str) -> None:
        tree.card("eno1", address)
        assert probe_host(tree.root).macs == ()

    def test_a_made_up_address_counts_only_in_a_virtual_machine(self, tree: Tree) -> None:
        tree.card("eth0", "52:54:00:12:34:56")
        assert probe_host(tree.root).macs == ()
        tree.file("proc/cpuinfo", VM_CPU)
        assert probe_host(tree.root).macs == ("52:54:00:12:34:56",)

    def test_an_address_drawn_at_boot_never_counts(self, tree: Tree) -> None:
        tree.file("proc/cpuinfo", VM_CPU)
        tree.card("eth0", "52:54:00:12:34:56", kind="1")
        assert probe_host(tree.root).macs == ()

    def test_cards_of_a_bond_keep_their_own_address(self, tree: Tree) -> None:
        tree.card("eno1", "00:1b:21:3c:9d:00")
        tree.file("sys/class/net/eno1/bonding_slave/perm_hwaddr", MAC.upper())
        assert probe_host(tree.root).macs == (MAC,)

    def test_several_cards_come_sorted(self, tree: Tree) -> None:
        tree.card("eno2", "00:1b:21:ff:00:00", device="pci0000:00/2")
        tree.card("eno1", MAC, device="pci0000:00/1")
        assert probe_host(tree.root).macs == (MAC, "00:1b:21:ff:00:00")


class TestDisks:
    @pytest.mark.parametrize("place", ["device__serial", "serial", "wwid", "device__wwid"])
    def test_each_place_a_serial_is_kept(self, tree: Tree, place: str) -> None:
        tree.disk("nvme0n1", "259:0", **{place: "  S5H9NS0N  \n"})
        tree.mounted("259:0", "/dev/nvme0n1")
        assert probe_host(tree.root).disk_serial == "S5H9NS0N"

    def test_the_disk_under_root_comes_before_the_first(self, tree: Tree) -> None:
        tree.disk("sda", "8:0", device__serial="DATA-1")
        home = tree.disk("sdb", "8:16", device__serial="ROOT-1")
        tree.partition(home, "sdb1", "8:17")
        tree.mounted("8:17", "/dev/sdb1")
        assert probe_host(tree.root).disk_serial == "ROOT-1"

    def test_a_volume_leads_to_its_disk(self, tree: Tree) -> None:
        tree.disk("sda", "8:0", device__serial="DATA-1")
        home = tree.disk("sdb", "8:16", device__serial="ROOT-1")
        tree.partition(home, "sdb3", "8:19")
        tree.file("sys/devices/virtual/block/dm-0/size", "1")
        tree.link("sys/devices/virtual/block/dm-0/slaves/sdb3", f"{home}/sdb3")
        tree.link("sys/dev/block/253:0", "sys/devices/virtual/block/dm-0")
        tree.mounted("253:0", "/dev/mapper/vg-root")
        assert probe_host(tree.root).disk_serial == "ROOT-1"

    def test_btrfs_is_found_by_the_name_of_its_partition(self, tree: Tree) -> None:
        tree.disk("sda", "8:0", device__serial="DATA-1")
        home = tree.disk("sdb", "8:16", device__serial="ROOT-1")
        tree.partition(home, "sdb2", "8:18")
        tree.mounted("0:31", "/dev/sdb2", kind="btrfs")
        assert probe_host(tree.root).disk_serial == "ROOT-1"

    def test_else_the_first_fixed_disk_with_a_serial(self, tree: Tree) -> None:
        tree.disk("loop0", "7:0", device__serial="LOOP-1")
        tree.disk("sda", "8:0", removable="1", device__serial="STICK-1")
        tree.disk("sdb", "8:16", device__serial="None")
        tree.disk("sdc", "8:32", device__serial="FIXED-1")
        tree.mounted("0:50", "overlay", kind="overlay")
        assert probe_host(tree.root).disk_serial == "FIXED-1"

    def test_a_short_or_empty_vpd_page_is_no_serial(self, tree: Tree) -> None:
        tree.disk("sda", "8:0", device__vpd_pg80=b"\x00\x80")
        assert probe_host(tree.root).disk_serial is None


class TestContainers:
    def test_a_host_that_runs_containers_is_none(self, machine: Tree) -> None:
        mounts = (machine.root / "proc/self/mountinfo").read_text()
        overlay = "90 25 0:50 / /var/lib/docker/overlay2/A/merged rw - overlay overlay rw,lowerdir=/var/lib/docker/l\n"
        machine.file("proc/self/mountinfo", mounts + overlay)
        machine.file("proc/1/cgroup", "0::/init.scope\n")
        machine.card("docker0", "02:42:1c:00:00:01", device=None)
        assert probe_host(machine.root).container is None
        assert probe_host(machine.root).macs == (MAC,)

    def test_what_a_container_makes_up_is_left_out_and_what_the_host_shows_stays(self, machine: Tree) -> None:
        machine.file(".dockerenv")
        machine.mounted("0:50", "overlay", kind="overlay")
        seen = probe_host(machine.root)
        assert (seen.container, seen.machine_id, seen.macs) == ("docker", None, ())
        assert (seen.board_uuid, seen.disk_serial) == (UUID, "S4EWNX0R512345")

    def test_a_machine_id_mounted_from_the_host_counts(self, machine: Tree) -> None:
        machine.file(".dockerenv")
        machine.mounted("0:50", "overlay", kind="overlay")
        mounts = (machine.root / "proc/self/mountinfo").read_text()
        machine.file(
            "proc/self/mountinfo", mounts + "99 25 8:2 /etc/machine-id /etc/machine-id ro - ext4 /dev/sda2 ro\n"
        )
        assert probe_host(machine.root).machine_id == MACHINE_ID

    def test_a_container_that_boots_its_own_system_keeps_its_machine_id(self, machine: Tree) -> None:
        machine.file("proc/1/environ", "container=lxc\x00")
        seen = probe_host(machine.root)
        assert (seen.container, seen.machine_id, seen.macs) == ("lxc", MACHINE_ID, ())
