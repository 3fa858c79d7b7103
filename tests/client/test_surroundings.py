"""Containers and virtual machines: every one has a word of the protocol, over file trees as Linux shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chariot_license import macos, surroundings
from chariot_license.host import probe_host, real_value
from chariot_license.protocol.fingerprint import HostFacts
from chariot_license.protocol.request import CONTAINERS, VIRTUALS
from hypothesis import given
from hypothesis import strategies as st

from tests.client.states import in_child
from tests.client.test_host import CPU, MAC, MACHINE_ID, VM_CPU, Tree

OVERLAY = "9 8 0:50 / / rw - overlay overlay rw,lowerdir=/var/lib/{}/overlay2/l/A\n"
DMI = "sys/class/dmi/id"
DEVICE_TREE = "sys/firmware/devicetree/base"

CONTAINER_SIGNS = [
    (".dockerenv", "", "docker"),
    ("run/.containerenv", "", "podman"),
    ("var/run/secrets/kubernetes.io/serviceaccount/token", "x", "kubernetes"),
    ("run/secrets/kubernetes.io/serviceaccount/token", "x", "kubernetes"),
    ("run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"),
    ("run/systemd/container", "Docker\n", "docker"),
    ("run/systemd/container", "lxc-libvirt\n", "lxc"),
    ("run/systemd/container", "openvz\n", "openvz"),
    ("run/systemd/container", "rkt\n", "rkt"),
    ("run/systemd/container", "wsl\n", "wsl"),
    ("run/systemd/container", "oci\n", "container"),
    ("run/systemd/container", "pouch\n", "container"),
    ("run/systemd/container", "\x1b[31m\n", "container"),
    ("proc/1/environ", "PATH=/bin\x00container=lxc\x00", "lxc"),
    ("proc/1/environ", "container=crio\x00PATH=/bin\x00", "cri-o"),
    ("proc/1/environ", "container=something\x00", "container"),
    ("proc/1/cgroup", "0::/kubepods.slice/pod1/cri-containerd-0a1b.scope\n", "kubernetes"),
    ("proc/1/cgroup", "0::/machine.slice/libpod-0a1b.scope\n", "podman"),
    ("proc/1/cgroup", "0::/system.slice/crio-0a1b.scope\n", "cri-o"),
    ("proc/1/cgroup", "1:name=systemd:/containerd/0a1b\n", "containerd"),
    ("proc/1/cgroup", "1:name=systemd:/lxc/plant\n", "lxc"),
    ("proc/1/cgroup", "1:cpu:/machine.slice/machine-rkt\\x2d0a1b.scope/init.scope\n", "rkt"),
    ("proc/self/cgroup", "1:cpu:/docker/0a1b\n", "docker"),
    ("proc/self/mountinfo", OVERLAY.format("docker"), "docker"),
    ("proc/self/mountinfo", OVERLAY.format("containers/storage"), "podman"),
    ("proc/self/mountinfo", OVERLAY.format("containerd/io.containerd.snapshotter.v1"), "containerd"),
    ("proc/vz/version", "", "openvz"),
    ("proc/sys/kernel/osrelease", "5.15.153.1-microsoft-standard-WSL2\n", "wsl"),
    ("proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n", "wsl"),
]
FIRMWARE = [
    ({"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)"}, "qemu"),
    ({"sys_vendor": "QEMU", "product_name": "KVM Virtual Machine"}, "kvm"),
    ({"sys_vendor": "Red Hat", "product_name": "KVM"}, "kvm"),
    ({"sys_vendor": "Red Hat", "product_name": "RHEV Hypervisor"}, "kvm"),
    ({"sys_vendor": "oVirt", "product_name": "oVirt Node"}, "kvm"),
    ({"sys_vendor": "KubeVirt", "product_name": "None"}, "kvm"),
    ({"sys_vendor": "VMware, Inc.", "product_name": "VMware7,1"}, "vmware"),
    ({"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"}, "virtualbox"),
    ({"sys_vendor": "Oracle Corporation", "product_name": "VirtualBox"}, "virtualbox"),
    ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "hyper-v"),
    ({"sys_vendor": "Xen", "product_name": "HVM domU"}, "xen"),
    ({"sys_vendor": "Xen", "product_name": "HVM domU", "bios_version": "4.11.amazon"}, "aws"),
    ({"sys_vendor": "Amazon EC2", "product_name": "m5.large"}, "aws"),
    ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, "gcp"),
    ({"sys_vendor": "Parallels International GmbH.", "product_name": "Parallels ARM Virtual Machine"}, "parallels"),
    ({"sys_vendor": "FreeBSD", "product_name": "BHYVE"}, "bhyve"),
    ({"sys_vendor": "Nutanix", "product_name": "AHV", "bios_vendor": "SeaBIOS"}, "nutanix"),
    ({"sys_vendor": "OpenStack Foundation", "product_name": "OpenStack Nova", "bios_vendor": "SeaBIOS"}, "openstack"),
    ({"sys_vendor": "DigitalOcean", "product_name": "Droplet"}, "digitalocean"),
    ({"sys_vendor": "Apple Inc.", "product_name": "Apple Virtualization Generic Platform"}, "vm"),
    ({"sys_vendor": "Bochs", "product_name": "Bochs"}, "vm"),
    ({"sys_vendor": "Alibaba Cloud", "product_name": "Alibaba Cloud ECS"}, "vm"),
    ({"sys_vendor": "Hetzner", "product_name": "vServer"}, "vm"),
]
REAL_MACHINES = [
    {"sys_vendor": "Microsoft Corporation", "product_name": "Surface Pro"},
    {"sys_vendor": "Oracle Corporation", "product_name": "SUN SERVER X4-2"},
    {"sys_vendor": "Amazon EC2", "product_name": "m7i.metal-24xl"},
    {"sys_vendor": "Google", "product_name": "Eve"},
    {"sys_vendor": "Nutanix", "product_name": "NX-3060-G5"},
    {"sys_vendor": "Apple Inc.", "product_name": "MacBookPro11,1"},
    {"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R640"},
    {"sys_vendor": "Xenon Systems", "product_name": "Nitro"},
]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def with_firmware(tree: Tree, names: dict[str, str]) -> None:
    for name, value in names.items():
        tree.file(f"{DMI}/{name}", value + "\n")


class TestContainers:
    @pytest.mark.parametrize(("path", "content", "kind"), CONTAINER_SIGNS)
    def test_each_sign_of_a_container(self, tree: Tree, path: str, content: str, kind: str) -> None:
        tree.file(path, content)
        assert probe_host(tree.root).container == kind

    def test_every_word_of_the_protocol_is_found_somewhere(self) -> None:
        assert {kind for _, _, kind in CONTAINER_SIGNS} == set(CONTAINERS)

    def test_a_host_of_openvz_is_no_container(self, tree: Tree) -> None:
        tree.file("proc/vz/version")
        tree.file("proc/bc/0/resources")
        assert probe_host(tree.root).container is None

    def test_docker_below_wsl_is_docker(self, tree: Tree) -> None:
        tree.file("proc/sys/kernel/osrelease", "5.15.153.1-microsoft-standard-WSL2\n")
        tree.file(".dockerenv")
        assert probe_host(tree.root).container == "docker"

    def test_wsl_keeps_its_machine_id_and_its_drawn_address_does_not_count(self, tree: Tree) -> None:
        tree.file("proc/sys/kernel/osrelease", "5.15.153.1-microsoft-standard-WSL2\n")
        tree.file("etc/machine-id", MACHINE_ID)
        tree.card("eth0", MAC)
        seen = probe_host(tree.root)
        assert (seen.machine_id, seen.macs) == (MACHINE_ID, ())

    @pytest.mark.skipif(os.geteuid() != 0, reason="root reads every folder, so it is left aside for this")
    def test_a_folder_closed_to_us_is_no_sign_and_no_error(self, tree: Tree) -> None:
        tree.file("var/run/secrets/kubernetes.io/token")
        (tree.root / "var/run/secrets").chmod(0o700)

        def probe() -> None:
            os.chroot(tree.root)  # the folders above are closed as well
            os.setresuid(65534, 65534, 65534)
            os._exit(0 if surroundings.find_container(Path("/")) is None else 1)

        assert os.waitpid(in_child(probe), 0)[1] == 0


class TestVirtualMachines:
    @pytest.mark.parametrize(("names", "kind"), FIRMWARE)
    def test_firmware_names_it(self, tree: Tree, names: dict[str, str], kind: str) -> None:
        with_firmware(tree, names)
        assert probe_host(tree.root).virtual == kind

    def test_every_word_of_the_protocol_is_found_somewhere(self) -> None:
        assert {kind for _, kind in FIRMWARE} == set(VIRTUALS)

    @pytest.mark.parametrize("names", REAL_MACHINES)
    def test_a_real_machine_of_a_vendor_that_also_has_virtual_ones(self, tree: Tree, names: dict[str, str]) -> None:
        with_firmware(tree, names)
        tree.file("proc/cpuinfo", CPU)
        assert probe_host(tree.root).virtual is None

    @pytest.mark.parametrize(
        ("path", "content", "kind"),
        [
            ("proc/cpuinfo", VM_CPU, "vm"),
            ("sys/hypervisor/type", "xen\n", "xen"),
            ("sys/hypervisor/type", "kvm\n", "kvm"),
            ("sys/hypervisor/type", "z/VM\n", "vm"),
            (f"{DEVICE_TREE}/hypervisor/compatible", "linux,kvm\x00", "kvm"),
            (f"{DEVICE_TREE}/hypervisor/compatible", "xen,xen-4.17\x00xen,xen\x00", "xen"),
            (f"{DEVICE_TREE}/hypervisor/compatible", "vmware\x00", "vmware"),
            (f"{DEVICE_TREE}/hypervisor/compatible", "jailhouse\x00", "vm"),
            (f"{DEVICE_TREE}/compatible", "linux,dummy-virt\x00", "qemu"),
        ],
    )
    def test_without_firmware_names(self, tree: Tree, path: str, content: str, kind: str) -> None:
        tree.file(path, content)
        assert probe_host(tree.root).virtual == kind

    def test_a_gateway_with_a_device_tree_is_real(self, tree: Tree) -> None:
        tree.file(f"{DEVICE_TREE}/compatible", "raspberrypi,4-model-b\x00brcm,bcm2711\x00")
        assert probe_host(tree.root).virtual is None

    def test_the_host_of_xens_guests_is_real(self, tree: Tree) -> None:
        tree.file("sys/hypervisor/type", "xen\n")
        tree.file("proc/xen/capabilities", "control_d\n")
        tree.file("proc/cpuinfo", VM_CPU)
        assert probe_host(tree.root).virtual is None


class TestWords:
    """Whatever is found travels as itself; a word of our own would arrive as "of another kind"."""

    def test_every_word_of_the_tables_is_one_of_the_protocol(self) -> None:
        containers = {kind for _, kind in surroundings.CONTAINER_WORDS} | set(surroundings.CONTAINER_ALIASES.values())
        assert containers | surroundings.SYSTEM_CONTAINERS | {surroundings.SOME_CONTAINER} <= set(CONTAINERS)
        virtuals = {kind for _, kind in (*surroundings.FIRMWARE_WORDS, *surroundings.DEVICE_TREE_WORDS)}
        assert virtuals | set(surroundings.HYPERVISOR_TYPES.values()) | {surroundings.SOME_VM} <= set(VIRTUALS)

    @given(st.text() | st.sampled_from(CONTAINERS))
    def test_a_container_may_call_itself_anything(self, name: str) -> None:
        assert surroundings.container_word(name) in CONTAINERS

    def test_the_real_host_and_an_empty_one(self, tmp_path: Path) -> None:
        for seen in (probe_host(), probe_host(tmp_path)):
            assert seen.container in {None, *CONTAINERS}
            assert seen.virtual in {None, *VIRTUALS}
        assert probe_host(tmp_path) == HostFacts()

    @pytest.mark.parametrize(("answer", "kind"), [("1\n", "vm"), ("0\n", None), ("", None)])
    def test_a_virtual_mac(self, answer: str, kind: str | None) -> None:
        seen = macos.facts_from(real_value, registry="", address="", processor="", virtual=answer, hostname="")
        assert seen.virtual == kind
