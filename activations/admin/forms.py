"""The forms of the desk and of the actions; they only read what was typed, the services judge it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms

from activations.domain.decisions import Chosen, Option
from activations.domain.words import Choice
from activations.models import Customer, Feature, Product
from activations.services.licenses import MOST_ALLOWED, FeatureTerm
from activations.services.replies import ShownTexts
from activations.services.results import LONGEST_REASON, BadInput, Refused, bad_reason, plain_lines

LARGEST_UPLOAD = 2_000_000


class PastedText(forms.CharField):
    """Text as it came: nothing trimmed, and a NUL, which some mail programs leave behind, is no reason to refuse it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)

    def to_python(self, value: Any) -> str:
        return super().to_python(value.replace("\x00", "\ufffd") if isinstance(value, str) else value) or ""


class ReasonField(forms.CharField):
    """What somebody gives as a reason. A line end is one letter, as the browser counts it; what the ledger cannot take
    is said beside the field, in the words of the services.
    """

    def __init__(self, *, rows: int = 3, autofocus: bool = False, **kwargs: Any) -> None:
        attrs = {"rows": rows, "maxlength": LONGEST_REASON, **({"autofocus": True} if autofocus else {})}
        kwargs.setdefault("label", "Reason")
        kwargs.setdefault("error_messages", {"required": bad_reason("").message})  # type: ignore[union-attr]
        super().__init__(widget=forms.Textarea(attrs=attrs), **kwargs)

    def to_python(self, value: Any) -> str:
        return super().to_python(plain_lines(value) if isinstance(value, str) else value) or ""

    def validate(self, value: str) -> None:
        super().validate(value)
        problem = bad_reason(value, due=False)
        if problem:
            raise forms.ValidationError(problem.message, code=problem.code)


class _Reasoned(forms.Form):
    """A form with a reason."""

    def reason_typed(self) -> str:
        """The reason as it was typed, fit or not."""
        return plain_lines(self.data.get("reason", ""))

    def reason_error(self) -> str:
        """What is wrong with the reason, if nothing else is wrong with the form."""
        return str(self.errors["reason"][0]) if set(self.errors) == {"reason"} else ""

    def blame(self, result: Refused | BadInput) -> str:
        """What a service refused: beside the reason if it is about that, else to be said for the whole form."""
        if not is_about_reason(result):
            return result.message
        self.add_error("reason", result.message)
        return ""


def is_about_reason(result: Refused | BadInput) -> bool:
    return result.code.startswith("reason-")


class PasteForm(forms.Form):
    """The box for anything a customer sends. Exactly one of text and file is used; the file wins."""

    text = PastedText(
        label="Paste the customer's email, the Usage Request, or a deactivation code with the License ID",
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 12, "autofocus": True, "spellcheck": "false", "class": "paste", "autocomplete": "off"}
        ),
    )
    upload = forms.FileField(
        label="or choose a file (.txt or .eml)",
        required=False,
        allow_empty_file=True,
    )

    def clean_upload(self) -> Any:
        upload = self.cleaned_data["upload"]
        if upload and upload.size > LARGEST_UPLOAD:
            raise forms.ValidationError(
                "This file is larger than 2 MB, so it is no mail with a Usage Request. Paste the text of the mail."
            )
        return upload


class ConfirmForm(_Reasoned):
    """Books what was shown: the pasted text, the digest of the dry run, and what was chosen."""

    text = PastedText(widget=forms.HiddenInput)
    expect = forms.RegexField(r"\A[0-9a-f]{64}\Z", widget=forms.HiddenInput)
    choice = forms.CharField(required=False)
    taken = forms.CharField(required=False, widget=forms.HiddenInput)
    texts = forms.CharField(required=False, widget=forms.HiddenInput)
    reason = ReasonField(required=False)

    def words(self) -> tuple[str, ...]:
        """What was chosen so far, as the options are named: "rebind:ACT-...", "second"."""
        return (*self.cleaned_data["taken"].split(), *self.cleaned_data["choice"].split())

    def shown_texts(self) -> ShownTexts:
        """Which version of which reply's text was on the page."""
        pairs = (word.partition(":") for word in self.cleaned_data["texts"].split())
        return {kind: int(version) for kind, _, version in pairs if _VERSION.fullmatch(version)}


_VERSION = re.compile(r"[0-9]{1,9}")


def chosen_from(words: Iterable[str]) -> Chosen:
    """The choices these words name. Raises ValueError for a choice that does not exist."""
    choices, meant = set(), None
    for word in words:
        name, _, activation_id = word.partition(":")
        choices.add(Choice(name))
        meant = activation_id or meant
    return Chosen(frozenset(choices), meant)


def option_words(option: Option) -> str:
    """How the form names an option."""
    return f"{option.choice}:{option.activation_id}" if option.activation_id else str(option.choice)


class DeactivateForm(_Reasoned):
    license_id = forms.CharField(max_length=64)
    code = forms.CharField(max_length=100)
    expect = forms.CharField(max_length=64)
    reason = ReasonField(required=False)


class ReasonForm(_Reasoned):
    reason = ReasonField(help_text="Goes into the ledger and cannot be changed there.", autofocus=True)


class _TermsForm(forms.Form):
    """A license's terms: one checkbox and one last day for each feature of the product."""

    allowed = forms.IntegerField(
        label="Allowed activations",
        min_value=1,
        max_value=MOST_ALLOWED,
        widget=forms.NumberInput(attrs={"class": "short"}),
    )
    version_low = forms.CharField(
        label="Lowest Chariot version", required=False, max_length=40, help_text="Empty: no lower limit."
    )
    version_high = forms.CharField(
        label="Highest Chariot version", required=False, max_length=40, help_text="Empty: the newest, too."
    )
    online = forms.BooleanField(
        label="Online activation allowed",
        required=False,
        help_text="A Usage Request that comes in over the internet is answered at once where no person has to decide. "
        "Off: it waits on the desk.",
    )

    def __init__(self, *args: Any, product: Product, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.product = product
        self.features = list(Feature.objects.filter(product=product).order_by("code"))
        for feature in self.features:
            self.fields[f"has-{feature.code}"] = forms.BooleanField(label=feature.name, required=False)
            self.fields[f"until-{feature.code}"] = forms.DateField(
                label=f"Last day of {feature.name}",
                required=False,
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            )

    def feature_rows(self) -> list[dict[str, Any]]:
        return [
            {"feature": feature, "has": self[f"has-{feature.code}"], "until": self[f"until-{feature.code}"]}
            for feature in self.features
        ]

    def version_fields(self) -> list[forms.BoundField]:
        return [self["version_low"], self["version_high"]]

    def feature_terms(self) -> list[FeatureTerm]:
        return [
            FeatureTerm(feature.code, self.cleaned_data[f"until-{feature.code}"])
            for feature in self.features
            if self.cleaned_data[f"has-{feature.code}"]
        ]

    def versions(self) -> tuple[str, str]:
        return self.cleaned_data["version_low"].strip(), self.cleaned_data["version_high"].strip()

    def clean(self) -> dict[str, Any]:
        for feature in self.features:
            dated = self.cleaned_data.get(f"until-{feature.code}")
            if dated and not self.cleaned_data.get(f"has-{feature.code}"):
                self.add_error(f"until-{feature.code}", f"Tick {feature.name} too, or remove its last day.")
        if not any(self.cleaned_data.get(f"has-{feature.code}") for feature in self.features):
            self.add_error(None, "Tick at least one feature.")
        return self.cleaned_data


class NewLicenseForm(_TermsForm):
    customer = forms.CharField(
        label="Customer",
        max_length=200,
        help_text="The company's name. A customer of this name is made if there is none.",
        widget=forms.TextInput(attrs={"list": "customers", "autofocus": True, "autocomplete": "off"}),
    )
    field_order = ["customer", "allowed"]

    def known_customers(self) -> list[str]:
        return list(Customer.objects.values_list("name", flat=True)[:500])


class TermsForm(_Reasoned, _TermsForm):
    reason = ReasonField(help_text="For example the order number. Goes into the ledger.")


def features_as_initial(features: list[dict[str, Any]]) -> dict[str, object]:
    """Stored feature terms as the initial values of a terms form."""
    initial: dict[str, object] = {}
    for feature in features:
        initial[f"has-{feature['code']}"] = True
        initial[f"until-{feature['code']}"] = date.fromisoformat(feature["expires"]) if feature["expires"] else None
    return initial
