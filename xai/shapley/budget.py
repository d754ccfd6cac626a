"""The budget of an explanation: model evaluations, of which a coalition may take several."""

import dataclasses

import numpy as np
from tqdm import tqdm

from xai.shapley.choice import is_drawn
from xai.shapley.estimate import estimate


@dataclasses.dataclass(frozen=True, eq=False)
class Budget:
    """The model evaluations that each row of a table may take.

    The full coalition has no absent player and takes one; every other coalition takes one for each
    blend that its value averages over.

    Attributes:
        evaluations: The most to spend now.
        num_blends: The blends of one coalition.
        versions: The number of background rows of which each permutation draws one, else 1.
        spent: What an earlier estimate took, 0 without one.
        state: What an earlier estimate can be gone on from, None without one.
    """

    evaluations: int
    num_blends: int
    versions: int = 1
    spent: int = 0
    state: dict | None = None

    @classmethod
    def plan(cls, evaluations, table, method, spent=0, state=None):
        """Returns the budget of a table, its background rows averaged over or drawn."""
        versions = 1 if table.masker else table.num_blends
        if state is None:
            drawn = is_drawn(method, table.players.count, evaluations, versions)
        else:
            drawn = "versions" in state
        blends, versions = (1, versions) if drawn else (table.num_blends, 1)
        return cls(evaluations, blends, versions, spent, state)

    @property
    def coalitions(self):
        """The most coalitions to ask a game for, the full one among them."""
        full = 0 if self.spent else 1
        return (self.evaluations - full) // self.num_blends + full

    def cost(self, coalitions):
        """Returns the evaluations that so many coalitions take, earlier ones included."""
        return (coalitions - 1) * self.num_blends + 1


def plan_budgets(tables, evaluations, method, earlier):
    """Returns the `Budget` of each table.

    Args:
        tables: A list of `Table`.
        evaluations: The most to spend on each row now.
        method: See `shapley_values`.
        earlier: The attribution to go on from, or None.
    """
    if earlier is None:
        return [Budget.plan(evaluations, table, method) for table in tables]
    states = [earlier.state["estimates"][str(number)] for number in range(len(tables))]
    return [
        Budget.plan(evaluations, table, method, earlier.evaluations, state)
        for table, state in zip(tables, states, strict=True)
    ]


def estimate_all(games, players, budgets, progress, **settings):
    """Returns the `Estimate` of each game, under one progress bar.

    Args:
        games: An iterable of games; see `shapley_values`.
        players: The number of players of each.
        budgets: The `Budget` of each.
        progress: Whether to show the bar, over model evaluations.
        **settings: See `shapley_values`.
    """
    total = sum(budget.spent + budget.evaluations for budget in budgets)
    estimates, done = [], 0
    with tqdm(total=total, disable=not progress) as bar:
        for game, count, budget in zip(games, players, budgets, strict=True):
            report = _reporter(bar, done, budget) if progress else None  # a look takes time
            estimates.append(_estimate(game, count, budget, report, settings))
            done += budget.spent + budget.evaluations
    return estimates


def _reporter(bar, done, budget):
    def report(coalitions, error):
        bar.update(done + budget.cost(coalitions) - bar.n)
        if np.isfinite(error):
            bar.set_postfix(error=f"{error:.1e}")

    return report


def _estimate(game, players, budget, report, settings):
    try:
        return estimate(
            game,
            players,
            budget.coalitions,
            **settings,
            versions=budget.versions,
            state=budget.state,
            report=report,
        )
    except ValueError as error:
        if budget.num_blends > 1:
            error.add_note(
                f"These are coalitions: of {budget.evaluations} model evaluations each coalition "
                f"but the full one takes {budget.num_blends}, one for each background row."
            )
        raise
