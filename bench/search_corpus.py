"""Messages for measuring search: short, with words as frequent as in natural text (Zipf), the same for everybody who names the same seed.

usage: search_corpus.py FOLDER COUNT        writes COUNT messages below FOLDER, 1000 in each folder, and FOLDER/queries
"""
import itertools
import pathlib
import random
import sys
import time

SEED = 2021
WORDS = 150_000
PEOPLE = 3_000
QUERIES = 2_000
ONSETS = "b c d f g h j k l m n p r s t v w z br cl dr fr gr kl pl pr sch st tr".split()
VOWELS = "a e i o u au ei ie ä ö ü".split()
ENDS = ["", "n", "r", "s", "t", "l", "ng", "rt", "nd"]


def vocabulary(rng):
    """Made words, the frequent ones short."""
    words, known = [], set()
    while len(words) < WORDS:
        syllables = 1 + min(4, int(rng.random() * (1 + len(words) ** 0.12)))
        word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(ENDS) for _ in range(syllables))
        if word not in known:
            known.add(word)
            words.append(word)
    return words


class Corpus:
    def __init__(self):
        self.rng = random.Random(SEED)
        self.words = vocabulary(self.rng)
        self.weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(WORDS)))
        given = [word.capitalize() for word in self.words[200:1200]]
        family = [word.capitalize() for word in self.words[1500:6500]]
        self.people = [(f"{self.rng.choice(given)} {self.rng.choice(family)}", f"p{number}@{self.words[300 + number % 40].encode('ascii', 'ignore').decode()}.example")
                       for number in range(PEOPLE)]

    def text(self, count):
        return self.rng.choices(self.words, cum_weights=self.weights, k=count)

    def message(self, number):
        rng = self.rng
        sender, recipient = rng.choice(self.people), rng.choice(self.people)
        body = self.text(rng.randint(20, 160))
        lines = [" ".join(body[at:at + 11]) for at in range(0, len(body), 11)]
        date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(1_500_000_000 + number * 600))
        subject = " ".join(self.text(rng.randint(2, 7)))
        return (f"From: {sender[0]} <{sender[1]}>\nTo: {recipient[0]} <{recipient[1]}>\nSubject: {subject}\nDate: {date}\nMessage-ID: <{number}@corpus.example>\n"
                "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + "\n".join(lines) + "\n").encode()

    def queries(self):
        """Distinct: words of every frequency, two words, phrases, people, subjects. In the syntax that both sides read."""
        rng, seen = random.Random(SEED + 1), {}
        while len(seen) < QUERIES:
            kind = rng.random()
            word = lambda: self.words[int(rng.random() ** 3 * 60_000)]
            if kind < 0.4:
                query = word()
            elif kind < 0.65:
                query = f"{word()} {word()}"
            elif kind < 0.8:
                query = f'"{self.words[rng.randrange(60)]} {self.words[rng.randrange(60)]}"'
            elif kind < 0.9:
                query = f"from:{rng.choice(self.people)[1]}"
            else:
                query = f"subject:{self.words[rng.randrange(5000)]}"
            seen[query] = True
        return list(seen)


def write(folder, count):
    corpus = Corpus()
    for number in range(count):
        if number % 1000 == 0:
            (folder / f"mail/{number // 1000:04}/cur").mkdir(parents=True)
            (folder / f"mail/{number // 1000:04}/new").mkdir()
            (folder / f"mail/{number // 1000:04}/tmp").mkdir()
        (folder / f"mail/{number // 1000:04}/cur/{number}:2,S").write_bytes(corpus.message(number))
    (folder / "queries").write_text("\n".join(corpus.queries()) + "\n")


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
