#!/usr/bin/python3
"""A set of mail made by rule, for benchmarks: the same seed gives the same bytes. Written as a Maildir++ as Dovecot keeps one.

  20,000 messages, sizes without attachments log-normal around a median of 12 KiB (sigma 1), from 1.5 KiB to 1 MiB;
  20 % with an attachment of 20 KiB to 2 MiB (log-uniform), each attachment in 4 messages;
  30 % replies that quote what they answer.

Words are drawn by Zipf's law from 12,000 words and 20,000 set phrases; 45 % of the messages are plain text, the others also or only HTML.
Of the attachments 75 % are as good as random (what JPEG, ZIP, DOCX and PDF are to a compressor), 25 % are text (CSV, logs).
Headers have what mail of today has: three Received, a DKIM signature, authentication results, threads.
"""
import argparse
import base64
import collections
import math
import os
import pathlib
import random
import time

SEED, MESSAGES = 2021, 20_000
MEDIAN_BYTES, SIGMA, BYTES_MIN, BYTES_MAX = 12 << 10, 1.0, 1536, 1 << 20
ATTACHED, ATTACHMENT_MIN, ATTACHMENT_MAX, USES = 0.2, 20 << 10, 2 << 20, 4
REPLIES, REMEMBERED = 0.3, 400
RANDOM_LIKE = 0.75
FOLDERS = (("", 45), (".Archive.2024", 20), (".Archive.2025", 15), (".Sent", 12), (".Projects.Spring", 8))
FLAGS = (("S", 70), ("", 15), ("RS", 10), ("FS", 5))
BEGIN = 1_704_100_000  # of the oldest message
FREQUENT = """the to and of a in is that for you it with on we have this be I are as will at not or can from your by if our has was but please all an so do
would there which they one if about up more my any when what their out been new also time could no some need just them who meeting week report project
know than should now its how only other get me into like over today send thanks team see after work first these let next two here because did made between
both each those before back most very call date number long same price order file page list office change plan question customer""".split()


def zipf(count, shift=2.7, exponent=1.05):
    """Cumulative weights of ranks."""
    total, sums = 0.0, []
    for rank in range(count):
        total += 1 / (rank + shift) ** exponent
        sums.append(total)
    return sums


class Language:
    def __init__(self, rng):
        heads = [c + v for c in ("b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "pl", "ch", "th", "sh", "br", "") for v in "aeiou"]
        tails = ["n", "r", "l", "s", "t", "ng", "nt", "ck", "m", "d", "", "", "", "st", "ry"]
        words = dict.fromkeys(FREQUENT)
        while len(words) < 12_000:
            syllables = 1 + (len(words) > 400) + (rng.random() < 0.4)
            words["".join(rng.choice(heads) for _ in range(syllables)) + rng.choice(tails)] = None
        self.words, self.word_sums = list(words), zipf(len(words))
        phrases = [" ".join(rng.choices(self.words, cum_weights=self.word_sums, k=rng.choice((2, 2, 3, 3, 4, 6)))) for _ in range(20_000)]
        self.tokens = self.words + phrases
        phrase_sums = zipf(len(phrases), 10, 0.8)
        # A third of what is drawn is a phrase.
        self.sums = [each / self.word_sums[-1] for each in self.word_sums] + [1 + each / phrase_sums[-1] * 0.5 for each in phrase_sums]

    def lines(self, rng, size):
        """Lines of about 70 characters, `size` bytes with their ends or a little more; sentences and paragraphs."""
        drawn = iter(rng.choices(self.tokens, cum_weights=self.sums, k=size // 4 + 40))
        lines, have, sentence = [], 0, True
        while have < size:
            words, width = [], 0
            while width < 66:
                word = next(drawn, None)
                if word is None:
                    drawn = iter(rng.choices(self.tokens, cum_weights=self.sums, k=400))
                    continue
                if sentence:
                    word, sentence = word[0].upper() + word[1:], False
                if rng.random() < 0.09:
                    word, sentence = word + rng.choice(".....?!"), True
                elif rng.random() < 0.05:
                    word += ","
                words.append(word)
                width += len(word) + 1
            line = " ".join(words)
            lines.append(line)
            have += len(line) + 1
            if sentence and rng.random() < 0.3:
                lines.append("")
                have += 1
        return lines


class MailSet:
    def __init__(self, count=MESSAGES, seed=SEED):
        self.count, self.seed = count, seed
        rng = random.Random(f"{seed} language")
        self.language = Language(rng)
        self.people = [self._person(rng) for _ in range(240)]
        layout = random.Random(f"{seed} layout")
        # Which message has which attachment.
        carriers = layout.sample(range(count), int(count * ATTACHED) // USES * USES)
        self.attachment_of = {message: index // USES for index, message in enumerate(carriers)}

    def _person(self, rng):
        name = [rng.choice(self.language.words[150:4000]).capitalize() for _ in range(2)]
        domain = rng.choice(("example.com", "example.org", "example.net", "mail.example.com", "sales.example.org", "example.test"))
        title = " ".join(rng.choices(self.language.words, cum_weights=self.language.word_sums, k=4))
        signature = ["-- ", " ".join(name), title, f"Tel. +49 30 {rng.randrange(10**6, 10**7)}   www.{domain}"]
        return " ".join(name), f"{name[0].lower()}.{name[1].lower()}@{domain}", domain, signature

    def attachment(self, index):
        """(type, name, bytes)"""
        rng = random.Random(f"{self.seed} attachment {index}")
        size = int(math.exp(rng.uniform(math.log(ATTACHMENT_MIN), math.log(ATTACHMENT_MAX))))
        name = "-".join(rng.choice(self.language.words[:3000]) for _ in range(2))
        if rng.random() < RANDOM_LIKE:
            kind, ending = rng.choice((("image/jpeg", "jpg"), ("application/zip", "zip"), ("application/pdf", "pdf"),
                                       ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx")))
            return kind, f"{name}.{ending}", rng.randbytes(size)
        words = rng.choices(self.language.words, cum_weights=self.language.word_sums, k=2000)
        rows, have = [], 0
        while have < size:
            row = f"{rng.randrange(10**6)};{rng.choice(words)};{rng.choice(words)} {rng.choice(words)};{rng.randrange(10**5) / 100};{2020 + rng.randrange(6)}-{1 + rng.randrange(12):02}-{1 + rng.randrange(28):02}\r\n"
            rows.append(row)
            have += len(row)
        return "text/csv", f"{name}.csv", "".join(rows).encode()[:size]

    def __iter__(self):
        """(folder, flags, unix time, bytes with LF) of each message."""
        rng = random.Random(f"{self.seed} messages")
        memory = collections.deque(maxlen=REMEMBERED)
        folders, folder_weights = zip(*FOLDERS)
        flags, flag_weights = zip(*FLAGS)
        for number in range(self.count):
            content, when = self._message(rng, number, memory)
            yield rng.choices(folders, folder_weights)[0], rng.choices(flags, flag_weights)[0], when, content

    def _message(self, rng, number, memory):
        when = BEGIN + int(number * 60_000_000 / MESSAGES) + rng.randrange(3000)
        target = min(max(int(rng.lognormvariate(math.log(MEDIAN_BYTES), SIGMA)), BYTES_MIN), BYTES_MAX)
        sender, receiver = rng.sample(self.people, 2)
        answered = rng.choice(memory) if memory and rng.random() < REPLIES else None
        message_id = f"<{rng.randbytes(12).hex()}@{sender[2]}>"
        subject = " ".join(rng.choices(self.language.tokens, cum_weights=self.language.sums, k=4)).capitalize()
        if answered:
            receiver, subject = answered["sender"], "Re: " + answered["subject"].removeprefix("Re: ")
        form = rng.choices(("plain", "both", "html"), (45, 35, 20))[0]
        boundaries = [f"----=_Part_{rng.randrange(10**6)}_{rng.randbytes(8).hex()}" for _ in range(2)]
        head = self._head(rng, sender, receiver, subject, message_id, answered, when)
        # Text with markup is about a quarter longer.
        size = max(target - len(head) - 300, 200) / {"plain": 1, "both": 2.25, "html": 1.25}[form]
        quoted = []
        if answered:
            quoted = ["", f"On {time.strftime('%a, %d %b %Y at %H:%M', time.gmtime(answered['when']))}, {answered['sender'][0]} wrote:"]
            room = size * 0.6
            for line in answered["lines"]:
                room -= len(line) + 3
                if room < 0:
                    break
                quoted.append("> " + line)
        own = self.language.lines(rng, max(int(size) - sum(len(line) + 1 for line in quoted), 120))
        lines = [f"Dear {receiver[0].split()[0]},", "", *own, "", *sender[3], *quoted]
        memory.append({"sender": sender, "subject": subject, "id": message_id, "when": when, "lines": lines, "references": (answered["references"] if answered else []) + [message_id]})
        kind, body = self._text(lines, form, boundaries[0])
        if number in self.attachment_of:
            attached, name, data = self.attachment(self.attachment_of[number])
            body = (f"--{boundaries[1]}\n{kind}\n\n{body}\n--{boundaries[1]}\nContent-Type: {attached}; name=\"{name}\"\nContent-Transfer-Encoding: base64\n"
                    f"Content-Disposition: attachment; filename=\"{name}\"\n\n{base64.encodebytes(data).decode()}\n--{boundaries[1]}--\n")
            kind = f"Content-Type: multipart/mixed;\n boundary=\"{boundaries[1]}\""
        return f"{head}{kind}\n\n{body}".encode(), when

    @staticmethod
    def _text(lines, form, boundary):
        """(its header, its body)"""
        text = "\n".join(lines) + "\n"
        plain = "Content-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: 7bit"
        if form == "plain":
            return plain, text
        paragraphs = "".join(f"<p class=\"MsoNormal\" style=\"margin:0 0 8pt\"><span lang=\"EN-US\">{each.replace('> ', '&gt; ')}</span></p>\n" for each in text.split("\n\n"))
        html = ("<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"><style type=\"text/css\">p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt; "
                f"font-family:\"Calibri\",sans-serif;}}</style></head>\n<body lang=\"EN-US\" link=\"#0563C1\" vlink=\"#954F72\">\n<div>\n{paragraphs}</div>\n</body></html>\n")
        rich = "Content-Type: text/html; charset=\"utf-8\"\nContent-Transfer-Encoding: 7bit"
        if form == "html":
            return rich, html
        return (f"Content-Type: multipart/alternative;\n boundary=\"{boundary}\"",
                f"--{boundary}\n{plain}\n\n{text}\n--{boundary}\n{rich}\n\n{html}\n--{boundary}--\n")

    @staticmethod
    def _head(rng, sender, receiver, subject, message_id, answered, when):
        def date(at):
            return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(at))

        def token(count):
            return base64.b64encode(rng.randbytes(count)).decode()
        signature = token(256)
        relay, mx = f"mail-{rng.randrange(100)}.{sender[2]}", f"mx{1 + rng.randrange(4)}.example.test"
        references = ("In-Reply-To: {}\nReferences: {}\n".format(answered["id"], "\n ".join(answered["references"][-6:]))) if answered else ""
        return (f"Return-Path: <{sender[1]}>\nDelivered-To: {receiver[1]}\n"
                f"Received: from {mx} ([192.0.2.{rng.randrange(256)}])\n\tby store.example.test with LMTP id {token(15)}\n\tfor <{receiver[1]}>; {date(when + 4)}\n"
                f"Received: from {relay} ({relay} [198.51.100.{rng.randrange(256)}])\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n"
                f"\tby {mx} (Postfix) with ESMTPS id {rng.randbytes(5).hex().upper()}\n\tfor <{receiver[1]}>; {date(when + 3)}\n"
                f"Received: by {relay} with SMTP id {rng.randbytes(8).hex()}; {date(when + 1)}\n"
                f"Authentication-Results: {mx};\n\tdkim=pass header.d={sender[2]} header.s=s2024;\n\tspf=pass smtp.mailfrom={sender[1]};\n\tdmarc=pass (policy=quarantine) header.from={sender[2]}\n"
                f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={sender[2]}; s=s2024; t={when};\n\th=from:to:subject:date:message-id:mime-version:content-type;\n\tbh={token(32)};\n"
                + "".join(f"\t{'b=' if at == 0 else ''}{signature[at:at + 70]}\n" for at in range(0, len(signature), 70))
                + f"From: {sender[0]} <{sender[1]}>\nTo: {receiver[0]} <{receiver[1]}>\nSubject: {subject}\nDate: {date(when)}\nMessage-ID: {message_id}\n{references}"
                f"MIME-Version: 1.0\nX-Mailer: {rng.choice(('Microsoft Outlook 16.0', 'Apple Mail (2.3774.600.62)', 'Mozilla Thunderbird', 'Evolution 3.46.4-2'))}\n")


def write_maildir(folder, messages, owner=None):
    """Writes what MailSet gives; bytes in all. `owner`: a uid to whom it is given."""
    folder, written, made = pathlib.Path(folder), 0, set()
    for number, (name, flags, when, content) in enumerate(messages):
        place = folder / name if name else folder
        if place not in made:
            for each in ("cur", "new", "tmp"):
                (place / each).mkdir(parents=True, exist_ok=True)
            made.add(place)
        path = place / "cur" / f"{when}.M{number:06}P1.bench,S={len(content)}:2,{flags}"
        path.write_bytes(content)
        os.utime(path, (when, when))
        if owner is not None:
            os.chown(path, owner, owner)
        written += len(content)
    if owner is not None:
        for path in [folder.parent, folder, *(each for each in folder.rglob("*") if each.is_dir())]:
            os.chown(path, owner, owner)
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--messages", type=int, default=MESSAGES)
    arguments = parser.parse_args()
    print(f"{write_maildir(arguments.folder, MailSet(arguments.messages))} bytes in {arguments.messages} messages")


if __name__ == "__main__":
    main()
