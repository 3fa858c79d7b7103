"""A browser without JavaScript for the admin's tests: it reads the forms of a page and sends back what they carry."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from activations.services.actors import StaffCreated, create_staff
from tests.portal.cast import ADMINISTRATOR, SOURCE

ROLE_OF = {
    "agent": "support-agent",
    "lead": "support-lead",
    "second-lead": "support-lead",
    "manager": "license-manager",
    "auditor": "auditor",
    "administrator": "administrator",
}
VOID = {"input", "br", "img", "link", "meta", "hr"}
# Scripts and styles inside the page, which the Content-Security-Policy would refuse.
INLINE = re.compile(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)


@dataclass
class Form:
    """One form of a page: where it goes, what it carries, which radio buttons it offers, its buttons' names."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)  # name -> (value, enabled)
    buttons: list[str] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.inside: Form | None = None
        self.area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self.inside)
        if self.inside is None:
            return
        if tag == "button":
            self.inside.buttons.append(given.get("name", ""))
        name = given.get("name", "")
        if not name:
            return
        if tag == "textarea":
            self.area, self.inside.fields[name] = name, ""
        if tag != "input" or given.get("type") == "file":
            return
        if given.get("type") == "radio":
            self.inside.choices.setdefault(name, []).append((given["value"], "disabled" not in given))
            if "checked" in given:
                self.inside.fields[name] = given["value"]
        elif given.get("type") == "checkbox":
            if "checked" in given:
                self.inside.fields[name] = given.get("value", "on")
        else:
            self.inside.fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None
        if tag == "textarea":
            self.area = None

    def handle_data(self, data: str) -> None:
        if self.area is not None and self.inside is not None:
            self.inside.fields[self.area] += data.removeprefix("\n").removeprefix("\r\n")


class Page:
    """A page as it arrived, redirects followed. `words` is its text without tags, white space folded."""

    def __init__(self, response: Any, browser: Browser) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.html = response.content.decode()
        self.path = response.request["PATH_INFO"]
        self.redirects = [target for target, _ in getattr(response, "redirect_chain", [])]
        self.browser = browser
        parser = _Forms()
        parser.feed(self.html)
        self.forms = parser.forms
        text = html.unescape(re.sub(r"<[^>]+>", " ", self.html))
        self.words = " ".join(text.split()).replace(" ,", ",").replace(" .", ".")

    def form(self, action: str = "") -> Form:
        """The first one that posts there, whatever its address carries behind the question mark."""
        there = [form for form in self.forms if action in (form.action, form.action.partition("?")[0])]
        found = [form for form in there if form.method == "post"]
        assert found, f"no form for {action!r} among {[form.action for form in self.forms]}: {self.words[:2000]}"
        return found[0]

    def send(self, form: Form, **typed: str) -> Page:
        return self.browser.post(form.action or self.path, {**form.fields, **typed})

    def table(self, name: str) -> str:
        """The <table> with this id; "" when the page has none."""
        found = re.search(rf'<table id="{name}".*?</table>', self.html, re.DOTALL)
        return found[0] if found else ""

    def block(self, name: str) -> str:
        """The text of the <pre> with this id."""
        found = re.search(rf'<pre id="{name}"[^>]*>(.*?)</pre>', self.html, re.DOTALL)
        assert found, f"no {name} in: {self.words[:2000]}"
        return html.unescape(found[1])


class Browser:
    """A signed-in member of staff. CSRF protection is on, as for everyone."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user)

    def get(self, address: str) -> Page:
        page = Page(self.client.get(address, follow=True), self)
        assert not INLINE.search(page.html), f"{address}: {INLINE.search(page.html)}"
        return page

    def post(self, address: str, data: dict[str, Any]) -> Page:
        page = Page(self.client.post(address, data, follow=True), self)
        assert not INLINE.search(page.html), f"{address}: {INLINE.search(page.html)}"
        return page

    def paste(self, text: str, **more: Any) -> Page:
        """Pastes into the box of the desk and presses Look."""
        form = self.get(desk()).form(desk())
        return self.post(desk(), {**form.fields, "text": text, **more})

    def confirm(self, page: Page, button: str = "book", **typed: str) -> Page:
        """Presses the confirm button of a dry run."""
        return page.send(page.form(reverse("admin:desk_confirm")), **{button: ""}, **typed)


def signed_in(username: str) -> Browser:
    user = User.objects.filter(username=username).first()
    if user is None:
        made = create_staff(
            username=username, role=ROLE_OF[username], password=None, actor=ADMINISTRATOR, source=SOURCE
        )
        assert isinstance(made, StaffCreated), made
        user = User.objects.get(username=username)
    return Browser(user)


def desk() -> str:
    return reverse("admin:desk")


def mail(text: str) -> str:
    """A block as a customer's mail program sends it."""
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    return f"Hello Support,\n\nplease find our request below.\n\n{quoted}\n\nBest regards\nPlant engineering\n"
