"""Online activation as a customer meets it: the real command and a real phone's browser on a portal that is served."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.system.browsing import Desk
from tests.system.chariot import Host
from tests.system.portal import Portal

NEW = ["request.received", "activation.created", "usage_license.issued"]
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def plant(desk: Desk, tmp_path: Path) -> Host:
    """A connected host; each test has one of its own."""
    return Host(tmp_path / "plant", f"plant-{tmp_path.name}", desk.portal.var / "trust-root.pem")


def allow(desk: Desk) -> None:
    change = ("change_license", desk.license_id, "--online", "on", "--actor", "manager", "--reason", "Order 4711")
    assert desk.portal.manage(*change)["online"] is True


def activate(desk: Desk, host: Host, *more: str, exit_code: int = 0) -> dict[str, object]:
    found = host.run("activate", "-", "--server", desk.address, *more, given=desk.license_key, exit_code=exit_code)
    return dict(found)


def test_a_connected_host_activates_and_updates_itself(desk: Desk, plant: Host) -> None:
    allow(desk)

    done = activate(desk, plant)

    assert (done["outcome"], done["license_id"]) == ("installed", desk.license_id)
    assert plant.run("status")["state"] == "active"
    assert desk.ledger() == ["license.created", "license.online_changed", *NEW]

    again = activate(desk, plant)

    assert again["activation_id"] == done["activation_id"]
    assert again["usage_license_id"] != done["usage_license_id"]
    assert desk.ledger()[5:] == ["request.received", "activation.updated", "usage_license.issued"]
    assert desk.portal.manage("verify_ledger", "--rebuild-check")["problems"] == []


def test_what_waits_on_the_desk_is_fetched_once_it_is_booked(desk: Desk, plant: Host) -> None:
    first, second = activate(desk, plant, exit_code=3), activate(desk, plant, exit_code=3)

    assert (first["outcome"], first["code"], first["request_id"]) == (
        "pending",
        "online-activation-off",
        second["request_id"],
    )
    assert desk.ledger() == ["license.created", "request.received", "request.pending"]
    block = (plant.folder / "state/usage-request.txt").read_text()
    desk.portal.manage("issue_usage_license", "--actor", "agent", given=block)

    assert activate(desk, plant)["outcome"] == "installed"
    assert desk.ledger()[3:] == ["activation.created", "usage_license.issued", "usage_license.resent"]


def test_a_laptop_carries_it_across_the_air_gap(desk: Desk, plant: Host, tmp_path: Path) -> None:
    allow(desk)
    block = plant.request(desk.license_key)
    laptop = Host(tmp_path / "laptop", "laptop", desk.portal.var / "trust-root.pem")

    carried = laptop.run("carry", "--server", desk.address, given=block)

    assert plant.run("install", given=str(carried["usage_license"]))["outcome"] == "installed"
    assert not (laptop.folder / "state").exists()


def test_a_rule_that_says_no_is_told_on_the_host(desk: Desk, plant: Host) -> None:
    allow(desk)
    suspend = ("change_license", desk.license_id, "--suspend", "--actor", "manager", "--reason", "unpaid")
    desk.portal.manage(*suspend)

    refused = [activate(desk, plant, exit_code=1) for _ in range(3)]

    assert {str(one["code"]) for one in refused} == {"license-suspended"}
    assert desk.ledger()[-2:] == ["request.received", "request.refused"]
    desk.portal.manage("change_license", desk.license_id, "--reinstate", "--actor", "manager", "--reason", "paid")
    assert activate(desk, plant)["outcome"] == "installed"


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_phone_carries_it_across_the_air_gap(desk: Desk, plant: Host, browser: Browser, script: bool) -> None:
    allow(desk)
    block = plant.request(desk.license_key)
    context = browser.new_context(viewport=PHONE, base_url=desk.address, java_script_enabled=script, is_mobile=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

    page.goto("/activate/")
    page.fill("#text", block)
    page.get_by_role("button", name="Get the Usage License").click()
    page.wait_for_selector("#usage-license")

    shown = page.locator("#usage-license").inner_text()
    assert page.locator(".qr svg").bounding_box() is not None
    assert fits(page)
    with page.expect_download() as file:
        page.get_by_role("button", name="Download it as a file").click()
    assert re.fullmatch(r"USL-[0-9A-Z-]+\.txt", file.value.suggested_filename)
    assert Path(file.value.path()).read_text().split() == shown.split()
    assert {cookie["name"] for cookie in context.cookies()} == {"csrftoken"}
    assert complaints == []
    context.close()
    assert plant.run("install", given=shown)["outcome"] == "installed"


def fits(page: Page) -> bool:
    """Nothing but the block itself is to be scrolled sideways, and that within its frame."""
    boxes = [page.locator(part).bounding_box() for part in (".note", "#usage-license", ".qr svg", "dl")]
    return all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] for box in boxes)


def test_the_phone_photographs_the_qr_code(desk: Desk, plant: Host, browser: Browser, tmp_path: Path) -> None:
    """The host shows its QR code on a screen, the phone takes a picture of it, the page reads the picture."""
    plant.folder.mkdir(parents=True)
    drawn = plant.folder / "request.svg"
    plant.run("request", "-", "--qr", "--out", str(drawn), given=desk.license_key)
    screen = browser.new_page(viewport={"width": 900, "height": 900})
    screen.set_content(drawn.read_text())
    photo = tmp_path / "photo.jpg"
    screen.screenshot(path=photo, type="jpeg", quality=70)
    screen.close()
    page = browser.new_page(viewport=PHONE, base_url=desk.address)

    page.goto("/activate/")
    page.set_input_files("#picture", photo)
    page.get_by_role("button", name="Get the Usage License").click()
    page.wait_for_selector("text=It waits at Support")

    block = (plant.folder / "state/usage-request.txt").read_text()
    desk.portal.manage("issue_usage_license", "--actor", "agent", given=block)
    page.get_by_role("button", name="Ask again").click()
    page.wait_for_selector("#usage-license")
    assert plant.run("install", given=page.locator("#usage-license").inner_text())["outcome"] == "installed"
    page.close()


def test_nothing_is_told_to_who_posts_anything_else(served: tuple[Portal, str], browser: Browser) -> None:
    page = browser.new_page(base_url=served[1])
    answer = page.request.post("/api/v1/online/usage-requests", data={"usage_request": "Hello"})

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert json.loads(answer.text())["code"] == "no-block"
    page.close()
