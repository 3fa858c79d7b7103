"""`activate` and `carry`: a Usage License over the network, from real servers that behave and that do not."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from chariot_license import asking, online
from chariot_license.errors import InputError
from chariot_license.online import Given, Server, Unreachable, Waits
from chariot_license.protocol.block import Kind
from chariot_license.protocol.fingerprint import fingerprint_of
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.reader import read_block
from chariot_license.results import Refused

from tests.client.conftest import CLIENT, MakeChariot, Ran, Run, facts_file
from tests.client.server import Answers, Portal, certificate, gives, says, serving, waits
from tests.client.steps import KEY
from tests.client.vendor import OTHER_HOST, PLANT_HOST, Vendor, new_license_key, read_made

NO = {
    "type": "x",
    "title": "Conflict",
    "status": 409,
    "code": "no-seat",
    "detail": "All are in use.",
    "license_id": "L",
}


@pytest.fixture
def activate(run: Run, tmp_path: Path, vendor: Vendor) -> Any:
    """Runs `activate` with the test switches of this host."""
    root, facts = vendor.write_root(tmp_path / "root.pem"), facts_file(tmp_path, PLANT_HOST)

    def ran(portal: Portal, *more: str, key: str = KEY.text) -> Ran:
        return run(
            "activate", "-", "--server", portal.address, *more,
            stdin=f"{key}\n", CHARIOT_TRUST_ROOT=str(root), CHARIOT_HOST_FACTS=str(facts),
        )  # fmt: skip

    return ran


def state_of(run: Run, tmp_path: Path) -> str:
    facts = facts_file(tmp_path, PLANT_HOST)
    return str(json.loads(run("status", "--json", CHARIOT_HOST_FACTS=str(facts)).out)["state"])


class TestActivate:
    def test_gets_and_installs_its_license(self, activate: Any, run: Run, vendor: Vendor, tmp_path: Path) -> None:
        with serving(Portal(gives(vendor))) as portal:
            done = activate(portal, "--json")

        assert done.status == 0
        assert (done.json["outcome"], done.json["license_id"]) == ("installed", vendor.license_id)
        assert state_of(run, tmp_path) == "active"
        assert len(portal.got) == 1

    def test_the_license_key_never_travels(self, activate: Any, vendor: Vendor) -> None:
        with serving(Portal(gives(vendor))) as portal:
            activate(portal)

        [(_, body)] = portal.seen
        sent = body.decode().replace("-", "").replace(" ", "")
        assert KEY.text.replace("-", "")[-12:] not in sent
        assert set(json.loads(body)) == {"usage_request"}

    def test_waits_with_a_status_of_its_own_and_the_next_one_goes_on(
        self, activate: Any, run: Run, vendor: Vendor, state_dir: Path, tmp_path: Path
    ) -> None:
        with serving(Portal(waits(), waits(), gives(vendor))) as portal:
            first, second = activate(portal), activate(portal, "--json")
            third = activate(portal)

        assert (first.status, first.out, second.status, third.status) == (3, "", 3, 0)
        assert "It waits at Support." in first.err
        assert "--wait" in first.err
        assert (second.json["outcome"], second.json["code"]) == ("pending", "online-activation-off")
        assert len(portal.got) == 3
        assert len(set(portal.got)) == 1, "a new request would have made the one that waits invalid"
        assert state_of(run, tmp_path) == "active"
        assert not (state_dir / "usage-request.txt").exists()

    def test_takes_the_request_that_was_made_to_be_mailed(
        self, activate: Any, run: Run, vendor: Vendor, tmp_path: Path
    ) -> None:
        made = run("request", KEY.text, CHARIOT_HOST_FACTS=str(facts_file(tmp_path, PLANT_HOST)))
        with serving(Portal(gives(vendor))) as portal:
            done = activate(portal)

        assert (made.status, done.status) == (0, 0)
        assert read_made(portal.got[0]) == read_made(made.out)

    def test_another_key_is_another_request(self, activate: Any, vendor: Vendor) -> None:
        with serving(Portal(waits())) as portal:
            activate(portal)
            activate(portal, key=new_license_key().text)

        assert [read_made(block).counter for block in portal.got] == [1, 2]

    def test_new_makes_a_new_one_where_that_is_needed(self, activate: Any, vendor: Vendor) -> None:
        ended = {**NO, "code": "declined-earlier", "detail": "It was refused."}
        with serving(Portal(says(409, NO), says(409, ended), gives(vendor))) as portal:
            no, never, yes = activate(portal), activate(portal), activate(portal, "--new")

        assert (no.status, never.status, yes.status) == (1, 1, 0)
        assert no.err == "All are in use.\n", "it may be answered another time"
        assert never.err.startswith("It was refused. To make the new request and post it here, run this again with --n")
        assert [read_made(block).counter for block in portal.got] == [1, 1, 2]

    def test_an_active_chariot_is_updated(self, activate: Any, run: Run, vendor: Vendor) -> None:
        with serving(Portal(gives(vendor))) as portal:
            first, second = activate(portal), activate(portal, "--json")

        assert (first.status, second.status, second.json["outcome"]) == (0, 0, "installed")
        one, two = (read_made(block) for block in portal.got)
        assert (one.previous, two.counter) == (None, 2)
        assert two.previous is not None

    def test_with_wait_it_goes_on_asking(self, activate: Any, vendor: Vendor) -> None:
        with serving(Portal(waits(5), gives(vendor))) as portal:
            done = activate(portal, "--wait", "1")

        assert done.status == 0
        assert "It waits at Support. Asking again for up to 1 more minutes" in done.err
        assert len(set(portal.got)) == 1

    def test_a_license_for_another_host_is_not_installed(
        self, activate: Any, run: Run, vendor: Vendor, tmp_path: Path
    ) -> None:
        other = fingerprint_of(OTHER_HOST, KEY.salt)
        with serving(Portal(gives(vendor, fingerprint=other))) as portal:
            done = activate(portal)

        assert done.status == 1
        assert state_of(run, tmp_path) == "request-pending"

    def test_a_license_of_a_stranger_is_not_installed(self, activate: Any, run: Run, tmp_path: Path) -> None:
        with serving(Portal(gives(Vendor("Stranger")))) as portal:
            done = activate(portal, "--json")

        assert (done.status, done.json["outcome"]) == (1, "refused")
        assert state_of(run, tmp_path) == "request-pending"

    def test_nobody_there(self, activate: Any, run: Run) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = Portal()
            nobody.address = f"http://127.0.0.1:{free.getsockname()[1]}"
            done, as_json = activate(nobody), activate(nobody, "--json")

        assert (done.status, done.out, as_json.status) == (4, "", 4)
        assert done.err.startswith(f"{nobody.address} could not be asked: Connection refused.")
        assert done.err.count("\n") == 1
        assert "chariot-license request" in done.err
        assert (as_json.json["outcome"], as_json.json["code"]) == ("unreachable", "server-unreachable")

    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("http://licensing.example.com", "without encryption"),
            ("licensing.example.com", "as Support wrote it"),
            ("ftp://licensing.example.com", "as Support wrote it"),
            ("https://user:secret@licensing.example.com", "as Support wrote it"),
            ("https://licensing.example.com/?a=b", "as Support wrote it"),
            ("https://licensing.example.com:port", "as Support wrote it"),
            ("https://", "as Support wrote it"),
            ("https://a b", "as Support wrote it"),
            ("https://licensing.example.com/a\r\nX: y", "as Support wrote it"),
        ],
    )
    def test_an_address_that_cannot_be_used_costs_no_request(
        self, run: Run, state_dir: Path, address: str, said: str
    ) -> None:
        done = run("activate", KEY.text, "--server", address)

        assert done.status == 2
        assert said in done.err
        assert "secret" not in done.err
        assert not state_dir.exists()

    @pytest.mark.parametrize("minutes", ["0", "-1", "soon", "1.5", "999999999"])
    def test_a_wait_that_is_none_costs_no_request(self, run: Run, state_dir: Path, minutes: str) -> None:
        done = run("activate", KEY.text, "--server", "https://licensing.example.com", f"--wait={minutes}")

        assert done.status == 2
        assert "whole minutes" in done.err
        assert not state_dir.exists()

    def test_what_is_no_license_key(self, run: Run, state_dir: Path) -> None:
        assert run("activate", "K1", "--server", "https://licensing.example.com").status == 2


class TestKeptRequest:
    def test_is_given_for_its_key_only(self, chariot: MakeChariot, state_dir: Path) -> None:
        made = chariot().request(KEY.text)
        assert not isinstance(made, Refused)

        assert chariot().pending_request(KEY.text) == made.block
        assert chariot().pending_request(new_license_key().text) is None
        assert (state_dir / "usage-request.txt").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("text", ["", "nothing", "earlier", "foreign", "\xff"])
    def test_another_text_in_its_place_is_not_taken(
        self, chariot: MakeChariot, state_dir: Path, tmp_path: Path, text: str
    ) -> None:
        earlier = chariot().request(KEY.text)
        made = chariot().request(KEY.text)
        foreign = chariot(state_dir=tmp_path / "other").request(KEY.text)
        assert not isinstance(earlier, Refused)
        assert not isinstance(made, Refused)
        assert not isinstance(foreign, Refused)
        texts = {"earlier": earlier.block, "foreign": foreign.block}
        (state_dir / "usage-request.txt").write_text(texts.get(text, text), encoding="latin-1")

        assert chariot().pending_request(KEY.text) is None

    def test_a_link_or_pipe_in_its_place_is_not_followed(self, chariot: MakeChariot, state_dir: Path) -> None:
        made = chariot().request(KEY.text)
        assert not isinstance(made, Refused)
        file = state_dir / "usage-request.txt"
        moved = state_dir.parent / "moved.txt"
        file.rename(moved)
        file.symlink_to(moved)

        assert chariot().pending_request(KEY.text) is None

    def test_what_cannot_be_kept_is_no_failure(self, chariot: MakeChariot, state_dir: Path) -> None:
        first = chariot().request(KEY.text)
        (state_dir / "usage-request.txt").unlink()
        (state_dir / "usage-request.txt").mkdir()

        second = chariot().request(KEY.text)

        assert not isinstance(first, Refused)
        assert not isinstance(second, Refused)
        assert second.counter == 2

    def test_goes_with_the_request(self, chariot: MakeChariot, state_dir: Path, vendor: Vendor) -> None:
        made = chariot().request(KEY.text)
        assert not isinstance(made, Refused)
        chariot().install(vendor.answer(made.block))
        assert not (state_dir / "usage-request.txt").exists()
        chariot().request(KEY.text)
        chariot().deactivate()
        assert not (state_dir / "usage-request.txt").exists()
        assert chariot().pending_request(KEY.text) is None


class TestCarry:
    @pytest.fixture
    def block(self, chariot: MakeChariot) -> str:
        made = chariot().request(KEY.text)
        assert not isinstance(made, Refused)
        return made.block

    @pytest.fixture
    def carry(self, run: Run, tmp_path: Path) -> Any:
        def ran(portal: Portal, *more: str, stdin: str = "") -> Ran:
            return run("carry", *more, "--server", portal.address, stdin=stdin, CHARIOT_STATE_DIR=str(tmp_path / "no"))

        return ran

    def test_brings_the_block_back(
        self, carry: Any, block: str, vendor: Vendor, chariot: MakeChariot, tmp_path: Path
    ) -> None:
        mail = "".join(f"> {line}\n" for line in block.splitlines())
        with serving(Portal(gives(vendor))) as portal:
            done = carry(portal, stdin=f"Hello,\n{mail}")

        assert done.status == 0
        assert read_block(done.out, Kind.LICENSE).text.strip() == done.out.strip()
        assert portal.got == [block]
        assert not (tmp_path / "no").exists(), "nothing is kept on the helper's computer"
        assert not isinstance(chariot().install(done.out), Refused)

    def test_reads_a_file_and_the_text_of_a_qr_code(
        self, carry: Any, block: str, vendor: Vendor, tmp_path: Path
    ) -> None:
        (tmp_path / "request.txt").write_text(qr_payload(Kind.REQUEST, read_block(block, Kind.REQUEST).data))
        with serving(Portal(gives(vendor))) as portal:
            done = carry(portal, str(tmp_path / "request.txt"), "--json")

        assert done.json["outcome"] == "issued"
        assert done.json["license_id"] == vendor.license_id
        assert read_block(done.json["usage_license"], Kind.LICENSE)

    def test_waits_and_refusals(self, carry: Any, block: str) -> None:
        with serving(Portal(waits(), says(409, NO), says(422, {**NO, "status": 422, "code": "no-block"}))) as portal:
            found = [carry(portal, "--json", stdin=block) for _ in range(3)]

        assert [(one.status, one.json["outcome"], one.json["code"]) for one in found] == [
            (3, "pending", "online-activation-off"),
            (1, "refused", "no-seat"),
            (2, "bad-input", "no-block"),
        ]

    @pytest.mark.parametrize(("stdin", "code"), [("Hello", "no-block"), ("", "no-block")])
    def test_what_is_no_usage_request_is_not_sent(self, carry: Any, stdin: str, code: str) -> None:
        with serving(Portal(waits())) as portal:
            done = carry(portal, "--json", stdin=stdin)

        assert (done.status, done.json["code"]) == (2, code)
        assert portal.seen == []


class TestServer:
    """What a server may do, and what becomes of it; asked directly, without a process."""

    @pytest.mark.parametrize(
        ("answer", "said", "lasting"),
        [
            (
                says(302, b"", Location="https://evil.example.com/\x1b[2J"),
                "leads to https://evil.example.com/ [2J",
                True,
            ),
            (says(404, b"<h1>Not Found</h1>"), "is no licensing portal (status 404)", True),
            (says(404, {"detail": "nothing"}), "answers with status 404: nothing", True),
            (says(200, b"[]"), "is no licensing portal", True),
            (says(200, {"usage_license": "none"}), "holds no whole Usage License", True),
            (says(200, b"[" * 100_000), "is no licensing portal", True),
            (says(200, b"x" * (online.MOST_BYTES + 10)), "is no licensing portal", True),
            (says(503, b"", Retry_After="7"), "cannot answer at the moment (status 503)", False),
            (says(500, b"\x00"), "cannot answer at the moment (status 500)", False),
            (says(429, b"", Retry_After="17"), "asked too often", False),
            (says(200, b"cut", Content_Length="1000"), "it hung up before it had answered", False),
        ],
    )
    def test_an_odd_answer_is_one_sentence_that_says_what_to_do(
        self, answer: Answers, said: str, lasting: bool
    ) -> None:
        with serving(Portal(answer)) as portal:
            asked = Server.named(portal.address).ask("a block")

        assert isinstance(asked, Unreachable)
        assert said in asked.message
        assert asked.lasting is lasting
        assert asked.message.isprintable()
        assert len(asked.message) < 600

    def test_its_words_cannot_move_a_cursor_and_its_codes_are_codes(self) -> None:
        said = {**NO, "detail": "\x1b[2J" + "a" * 9000, "code": "No Seat!\n", "license_id": "\x1b]0;"}
        with serving(Portal(says(409, said))) as portal:
            asked = Server.named(portal.address).ask("a block")

        assert isinstance(asked, Refused)
        assert asked.message.isprintable()
        assert len(asked.message) <= online.MOST_WORDS
        assert (asked.code, asked.detail) == ("refused", {"license_id": "]0;"})

    @pytest.mark.parametrize(("told", "heeded"), [(30, 30), (0, 5), (-3, 5), (10**9, 5), (86_400, 3600), ("soon", 5)])
    def test_it_cannot_be_told_to_hurry_or_to_sleep_for_ever(self, told: Any, heeded: int) -> None:
        with serving(Portal(waits(told))) as portal:
            asked = Server.named(portal.address).ask("a block")

        assert isinstance(asked, Waits)
        assert asked.retry_after == heeded

    def test_bytes_that_drip_in_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(online, "TOTAL_SECONDS", 0.5)
        stop = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def drip() -> None:
                client, _ = listening.accept()
                with client:
                    client.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not stop.wait(0.05):
                        try:
                            client.sendall(b"X-Drip: 1\r\n")
                        except OSError:
                            return

            thread = threading.Thread(target=drip, daemon=True)
            thread.start()
            asked = Server.named(f"http://127.0.0.1:{listening.getsockname()[1]}").ask("a block")
            stop.set()
            thread.join(10)

        assert isinstance(asked, Unreachable)
        assert "did not answer in time" in asked.message

    def test_its_certificate_is_checked(self, tmp_path: Path, vendor: Vendor, chariot: MakeChariot) -> None:
        made = chariot().request(KEY.text)
        assert not isinstance(made, Refused)
        files, others = certificate(tmp_path), certificate(tmp_path, "elsewhere.example.com")
        with serving(Portal(gives(vendor)), files) as portal:
            untrusted = Server.named(portal.address).ask(made.block)
            wrong = Server.named(portal.address, others[0]).ask(made.block)
            assert portal.seen == [], "nothing was sent before it proved who it is"
            trusted = Server.named(portal.address, files[0]).ask(made.block)
        with serving(Portal(gives(vendor)), others) as portal:
            misnamed = Server.named(portal.address, others[0]).ask(made.block)

        assert isinstance(trusted, Given)
        for asked in (untrusted, wrong, misnamed):
            assert isinstance(asked, Unreachable)
            assert (asked.code, asked.lasting) == ("server-not-trusted", True)
            assert "--ca-file" in asked.message

    @pytest.mark.parametrize("content", [None, b"", b"no certificate"])
    def test_a_ca_file_that_cannot_be_used(self, tmp_path: Path, content: bytes | None) -> None:
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_bytes(content)

        with pytest.raises(InputError) as error:
            Server.named("https://licensing.example.com", file)

        assert error.value.code == "ca-file-unusable"

    def test_a_prefix_is_kept(self, vendor: Vendor, chariot: MakeChariot) -> None:
        made = chariot().request(KEY.text)
        assert not isinstance(made, Refused)
        with serving(Portal(gives(vendor))) as portal:
            asked = Server.named(f"{portal.address}/licensing/").ask(made.block)

        assert isinstance(asked, Given)
        assert portal.seen[0][0] == "/licensing/api/v1/online/usage-requests"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at, self.pauses = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.at += seconds

    def now(self) -> float:
        return self.at


class TestAsking:
    def asked(self, portal: Portal, minutes: int) -> tuple[Any, Time, list[str]]:
        time, said = Time(), list[str]()
        with serving(portal):
            server = Server.named(portal.address)
            result = asking.until_answered(server, "a block", minutes, say=said.append, sleep=time.sleep, now=time.now)
        return result, time, said

    def test_pauses_as_long_as_the_server_asks_and_a_little_by_chance(self) -> None:
        result, time, said = self.asked(Portal(waits(60), waits(60), waits(60), says(409, NO)), 60)

        assert isinstance(result, Refused)
        assert len(time.pauses) == 3
        assert all(60 <= pause <= 75 for pause in time.pauses)
        assert len(said) == 1, "the same is not said again and again"

    def test_pauses_longer_each_time_that_nobody_answers(self) -> None:
        result, time, _ = self.asked(Portal(*[says(503, b"")] * 5, says(409, NO)), 600)

        assert isinstance(result, Refused)
        assert len(time.pauses) == 5
        for pause, least in zip(time.pauses, (10, 20, 40, 80, 160), strict=True):
            assert least <= pause <= least * 1.25

    def test_ends_when_the_time_is_over(self) -> None:
        result, time, _ = self.asked(Portal(waits(60)), 5)

        assert isinstance(result, Waits)
        assert sum(time.pauses) == pytest.approx(300)

    def test_does_not_wait_for_what_waiting_does_not_change(self) -> None:
        result, time, said = self.asked(Portal(says(404, b"")), 60)

        assert isinstance(result, Unreachable)
        assert (time.pauses, said) == ([], [])

    def test_without_wait_it_asks_once(self) -> None:
        _, time, said = self.asked(Portal(waits(60)), 0)

        assert (time.pauses, said) == ([], [])


def test_the_network_is_loaded_by_no_other_command() -> None:
    """Starting must not take longer for those who have no network."""
    code = "import sys, chariot_license.cli, chariot_license.commands; print('chariot_license.online' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(CLIENT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
