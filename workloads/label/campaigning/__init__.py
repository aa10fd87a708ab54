"""A pool of items and a budget of people's minutes → what people see next, until more of it would teach little.

rounds      what a campaign has done so far: rounds, and what each model was worth
choice      a pool with certainties → a round's items: uncertain ones, drawn ones, held-out ones
alike       texts → which teach the same: the greater part of their words in common
spending    reviews → minutes spent, and how many items the rest is good for
stopping    rounds, points and minutes → why the campaign is over, if it is
curve       candidates → what each is worth, on the held-out set and on drawn items that it did not learn from
unlearned   drawn items that a model knows nothing of: the random arm
turn        the edge: what publish sends while a campaign runs
state       the workspace → how the campaign stands; shown and page tell it

templates   "{PARTY} pays {AMOUNT}." → sentences whose spans are exact
synthetic   a project's templates → examples, marked as made up, never more than their share
paraphrase  templates → the same in other words, by a language model that sees nothing else

Why so, and what was measured: docs/decisions/0042-campaigns.md.
"""
