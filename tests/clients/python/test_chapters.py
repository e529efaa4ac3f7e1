"""The Python examples of `docs/`: each runs as three scripts, as its reader would run it, and prints what the chapter shows."""
import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

from federation import DEADLINE_S, URLS, NodeTest, only_ours

DOCS = pathlib.Path(__file__).parents[3] / "docs"
GUIDES = {"README", "embedding", "serial"}  # what is about no function
CHAPTERS = sorted(path.stem for path in DOCS.glob("*.md") if path.stem not in GUIDES)


def block(chapter, language):
    """The one block of code in that language."""
    text = (DOCS / f"{chapter}.md").read_text(encoding="utf-8")
    (only,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return only


def script(chapter):
    """What the contents say to begin with, over our nodes, and the chapter's example."""
    text = block("README", "python") + block(chapter, "python")
    for place, url in enumerate(URLS[:3]):
        shown = f"http://127.0.0.1:800{place + 1}"
        assert shown in text, f"{shown} is not among the nodes"
        text = text.replace(shown, url)
    return text


def printed(chapter):
    """What the script prints at each of three parties."""
    command = [sys.executable, "-c", script(chapter)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    parties = [
        subprocess.Popen([*command, str(me)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment)
        for me in range(3)
    ]
    try:
        outputs = [party.communicate(timeout=DEADLINE_S) for party in parties]
    finally:
        for party in parties:
            party.kill()
    return [out if party.returncode == 0 else errors for party, (out, errors) in zip(parties, outputs, strict=True)]


@only_ours
class Chapters(NodeTest):
    def test_every_example_prints_what_its_chapter_shows(self):
        self.assertEqual(len(CHAPTERS), 10)
        for chapter in CHAPTERS:
            with self.subTest(chapter=chapter):
                shown = json.loads(block(chapter, "json"))
                for me, text in enumerate(printed(chapter)):
                    where = f"{chapter} at party {me}"
                    try:
                        got = ast.literal_eval(text)
                    except (SyntaxError, ValueError):
                        self.fail(f"{where} prints no answer: {text}")
                    self.assert_meets(got, shown, where)
                    self.assert_meets(shown, got, where)  # and nothing more


if __name__ == "__main__":
    unittest.main()
