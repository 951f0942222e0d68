"""AI filter scores of an answer (the ``aiFilter`` tables of the chat pages)."""

from clova_studio.emulator.rules.facts import Facts

_NAMES = (("curse", "insult"), ("curse", "discrimination"), ("unsafeContents", "sexualHarassment"))


def filter_scores(facts: Facts) -> list[dict[str, str]]:
    """Scores that find nothing: ``"2"``, a string, is "unlikely". Recorded items also have a ``result``."""
    scores = [{"groupName": group, "name": name, "score": "2"} for group, name in _NAMES]
    return [{**score, "result": "OK"} for score in scores] if facts["filter-result"] == "sent" else scores
