#!/usr/bin/python3
"""The set of mail is what it says: the same bytes each time, sizes, attachments, replies."""
import hashlib
import math
import pathlib
import statistics
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from mail_set import MEDIAN_BYTES, SIGMA, USES, MailSet  # noqa: E402

COUNT = 1200


class TheSetOfMail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.set = MailSet(COUNT)
        cls.messages = list(cls.set)
        cls.plain = [len(content) for number, (_, _, _, content) in enumerate(cls.messages) if number not in cls.set.attachment_of]

    def test_the_same_seed_gives_the_same_bytes(self):
        def digest(messages):
            return hashlib.sha256(b"".join(content for _, _, _, content in messages)).hexdigest()
        first = [message for message, _ in zip(MailSet(COUNT), range(30))]
        self.assertEqual(digest(first), digest(self.messages[:30]))
        self.assertNotEqual(digest(first), digest([message for message, _ in zip(MailSet(COUNT, seed=1), range(30))]))

    def test_sizes_are_log_normal_around_the_median(self):
        # Three deviations of a median of so many drawn: 1.25 sigma / sqrt(n).
        self.assertLess(abs(math.log(statistics.median(self.plain) / MEDIAN_BYTES)), 3 * 1.25 * SIGMA / math.sqrt(len(self.plain)))
        lower, upper = (statistics.quantiles(self.plain, n=20)[at] for at in (0, 18))
        self.assertLess(abs(math.log(upper / lower) / (2 * 1.645 * SIGMA) - 1), 0.15)

    def test_each_attachment_is_in_four_messages(self):
        uses = {}
        for number, attachment in self.set.attachment_of.items():
            uses.setdefault(attachment, []).append(number)
            self.assertIn(b"Content-Disposition: attachment", self.messages[number][3])
        self.assertEqual({len(each) for each in uses.values()}, {USES})
        self.assertEqual(len(self.set.attachment_of), COUNT // 5)
        for kind, _, data in map(self.set.attachment, range(20)):
            self.assertTrue(20 << 10 <= len(data) + 1 and len(data) <= 2 << 20, kind)

    def test_three_of_ten_quote_what_they_answer(self):
        replies = sum(b"\nIn-Reply-To: <" in content for _, _, _, content in self.messages)
        self.assertAlmostEqual(replies / COUNT, 0.3, delta=0.04)
        quoting = sum(b"\n> " in content or b"\n&gt; " in content or b">&gt; " in content for _, _, _, content in self.messages)
        self.assertGreater(quoting, 0.9 * replies)


if __name__ == "__main__":
    unittest.main()
