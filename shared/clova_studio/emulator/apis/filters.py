"""AI filter scores of an answer (the ``aiFilter`` tables of the chat pages)."""

_NAMES = (("curse", "insult"), ("curse", "discrimination"), ("unsafeContents", "sexualHarassment"))


def filter_scores(*, observed: bool) -> list[dict[str, str]]:
    """Scores that find nothing: ``"2"``, a string, is "unlikely". Recorded items also have a ``result``."""
    scores = [{"groupName": group, "name": name, "score": "2"} for group, name in _NAMES]
    return [{**score, "result": "OK"} for score in scores] if observed else scores
