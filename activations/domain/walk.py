"""The walk through the decision table: what the rows passed so far have established, and how a row answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from activations.domain import sentences as say
from activations.domain.facts import Facts, TombstoneFacts
from activations.domain.words import Ability, Action, Choice, Outcome


@dataclass(frozen=True)
class Option:
    """One thing a person may choose for a pending decision, and the ability it takes."""

    choice: Choice
    ability: Ability
    explanation: str
    activation_id: str | None = None


@dataclass(frozen=True)
class Chosen:
    """What a person chose: any number of options, and the activation meant where several match."""

    choices: frozenset[Choice] = frozenset()
    activation_id: str | None = None

    def has(self, choice: Choice) -> bool:
        return choice in self.choices


@dataclass(frozen=True)
class Decision:
    """The answer to one Usage Request.

    `code` is stable and names the row; `staff` and `customer` are sentences; `requires` lists the abilities that
    the options taken need. `seats_before` and `seats_after` count occupied seats.
    """

    outcome: Outcome
    code: str
    staff: str
    customer: str
    seats_before: int
    seats_after: int
    action: Action | None = None
    activation_id: str | None = None
    options: tuple[Option, ...] = ()
    requires: tuple[Ability, ...] = ()
    taken: tuple[Choice, ...] = ()
    warnings: tuple[str, ...] = ()
    sighted: tuple[str, ...] = ()  # tombstones this request is a sighting of
    settles: tuple[str, ...] = ()  # tombstones that the chosen option closes


@dataclass(frozen=True)
class Walk:
    """The facts, what was chosen, and what the rows passed so far have established."""

    facts: Facts
    chosen: Chosen
    sighted: tuple[TombstoneFacts, ...] = ()
    requires: tuple[Ability, ...] = ()
    taken: tuple[Choice, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def cases(self) -> tuple[str, ...]:
        """What buried the tombstones that are sighted: restoration cases, else activations."""
        return tuple(dict.fromkeys(stone.restoration_id or stone.activation_id for stone in self.sighted))

    def warned(self, warning: str) -> Walk:
        return replace(self, warnings=(*self.warnings, warning))

    def taking(self, option: Option) -> Walk:
        """Past a row whose question this option answers."""
        return replace(
            self,
            taken=(*self.taken, option.choice),
            requires=tuple(dict.fromkeys((*self.requires, option.ability))),
        )

    def pick(self, options: tuple[Option, ...]) -> Option | None:
        """The option a person took; with several activations matching, only when they named one."""
        for choice in dict.fromkeys(option.choice for option in options):
            if not self.chosen.has(choice):
                continue
            meant = [o for o in options if o.choice is choice and self._means(o)]
            if len(meant) == 1:
                return meant[0]
        return None

    def _means(self, option: Option) -> bool:
        return option.activation_id is None or self.chosen.activation_id in (None, option.activation_id)

    def refused(self, code: str, options: tuple[Option, ...] = (), **details: object) -> Decision:
        return self._answer(Outcome.REFUSED, code, options=options, details=details)

    def pending(self, code: str, options: tuple[Option, ...], **details: object) -> Decision:
        """Open, with the options and the refusal that whoever may take the least of them may give."""
        abilities = {option.ability for option in options}
        ability = Ability.ISSUE if Ability.ISSUE in abilities else Ability.DECIDE_AS_LEAD
        refuse = Option(Choice.REFUSE, ability, say.OPTIONS["refuse"])
        return self._answer(Outcome.PENDING, code, options=(*options, refuse), details=details)

    def issued(
        self,
        code: str,
        action: Action,
        *,
        activation_id: str | None = None,
        option: Option | None = None,
        **details: object,
    ) -> Decision:
        """Answered. A lead who takes an option with a sighting on the screen accepts the sighting (Design 9.7)."""
        walk = self if option is None else self.taking(option)
        settles = walk.sighted if option is not None and option.ability is Ability.DECIDE_AS_LEAD else ()
        if settles:
            walk = walk.warned(say.settles(walk.cases))
        outcome = Outcome.RESENT if action is Action.RESEND else Outcome.ISSUED
        decision = walk._answer(outcome, code, details={"activation_id": activation_id, **details})
        return replace(
            decision,
            action=action,
            activation_id=activation_id,
            seats_after=decision.seats_before + (action is Action.NEW),
            settles=tuple(stone.tombstone_id for stone in settles),
        )

    def _answer(
        self, outcome: Outcome, code: str, *, options: tuple[Option, ...] = (), details: dict[str, object]
    ) -> Decision:
        staff, customer = say.sentences(code, **details)
        return Decision(
            outcome=outcome,
            code=code,
            staff=staff,
            customer=customer,
            seats_before=self.facts.occupied,
            seats_after=self.facts.occupied,
            options=options,
            taken=self.taken,
            requires=self.requires,
            warnings=self.warnings,
            sighted=tuple(stone.tombstone_id for stone in self.sighted),
        )
