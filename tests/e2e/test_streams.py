# SPDX-License-Identifier: MIT
"""`hedge eval` and `hedge size` as filters: rows in, the same rows with answers out.

Tables are made and read back with Python's csv and json modules; filters.py has the oracle.
"""
import csv
import io
import json
import unittest

from cli import BAD_DATA, FINE, USAGE
from filters import SEED, Streams, run, text


class Numbers(Streams):
    def test_digits_are_the_shortest(self):
        rng = self.rng
        values = [2.0 ** e for e in range(-1074, 1024, 7)] + [10.0 ** e for e in range(-30, 30)]
        values += [rng.uniform(1, 10) * 10 ** rng.randint(-8, 20) for _ in range(3000)]
        values += [float(f"{rng.randint(1, 99999)}e{rng.randint(-12, 18)}") for _ in range(2000)]
        values += [123456789012345678.0, 12345678901234568.0, 1234567890123456.0, 999999999999999.0,
                   1e15, 1e16, 1e17, 0.0001, 0.00001, 9.999e-5, -1e15, -1234567890123456.7]
        rows = "".join(f"BTC,1,{v!r},1e6\n" for v in values)
        code, out, err = run("size", "--format", "csv", "--columns",
                             "asset,amount_usd,override_score,depth1pct_usd", "--answers",
                             "notional_usd,effective_score", "--answer-only", data=rows.encode())
        self.assertEqual((code, err), (FINE, ""))
        amounts = "".join(f"BTC,{v!r},0.5,1e6\n" for v in values)
        code, out, err = run("size", "--format", "csv", "--columns",
                             "asset,amount_usd,override_score,depth1pct_usd", "--answers",
                             "notional_usd", "--answer-only", data=amounts.encode())
        expected = [text(self.oracle.size({"asset": "BTC", "amount_usd": v, "override_score": 0.5,
                                           "depth1pct_usd": 1e6})["notional_usd"]) for v in values]
        self.assertEqual(out.decode().split("\n")[:-1], expected)

    def test_what_is_a_number(self):
        for word, value in (("+0.5", 0.5), (".5", 0.5), ("5e-1", 0.5), ("1e-400", 0.0),
                            ("NaN", float("nan")), ("Infinity", float("inf")), ("-inf", -1e9),
                            ("0." + "0" * 5000 + "1", 0.0), ("3" * 400 + "e-400", 0.3333333333333)):
            code, out, err = run("eval", data=word.encode())
            self.assertEqual((code, err), (FINE, ""), word)
            self.assertEqual(out.decode()[:9], (text(self.oracle.eval(value)) + "\n")[:9], word)
        for word in ("0x1", "+-1", "--1", "1_0", "1e", "e5", ".", "+", "-", "nan(7)", "infin", "1d",
                     "1e999", "-1e999", "0.5 1", "\u0661", "1\0"):
            code, out, err = run("eval", data=f"0.3\n{word}\n".encode())
            self.assertEqual((code, out), (BAD_DATA, b"0.25\n"), word)
            self.assertRegex(err, "^hedge eval: line 2: '.*' is not a number", word)
        # Nothing is no number, where nothing is before it either.
        for data in (b"\n", b"\n0.3\n", b"\r\n", b" "):
            code, out, err = run("eval", data=data)
            self.assertEqual((code, out), (BAD_DATA, b""), data)
            self.assertRegex(err, "^hedge eval: line 1: '' is not a number", data)

    def test_numbers_are_read_as_they_stand(self):
        for form, bad in (("jsonl", rb'{"score":"\u0030.5"}'), ("jsonl", rb'{"score":"0.\/5"}'),
                          ("csv", b'"0.5""0"'), ("tsv", rb"0\.5"), ("tsv", rb"0.5\0")):
            code, out, err = run("eval", "--format", form, data=bad)
            self.assertEqual((code, out), (BAD_DATA, b""), bad)
            self.assertRegex(err, r"line 1, (column|member) \w+: '.*' is not a number", bad)


class Eval(Streams):
    def test_csv(self):
        hostile = 'ab ,"\n\r\t\\é\U0001f600\0'
        rows, raw = [["id", "score", 'odd, "name"\n']], []
        for i in range(self.rng.choice((40, 3000))):
            rows.append([str(i), repr(self.score()), self.note(hostile)])
        for i, row in enumerate(rows):
            out = io.StringIO(newline="")
            csv.writer(out, quoting=self.rng.choice(
                (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))).writerow(row)
            end = self.rng.choice(("\n", "\n", "\r\n"))
            raw.append((out.getvalue().removesuffix("\r\n"), end))
        answers = ["hedge"] + [text(self.oracle.eval(float(row[1]))) for row in rows[1:]]
        data = "".join(t + end for t, end in raw).encode()
        expected = "".join(f"{t},{a}{end}" for (t, end), a in zip(raw, answers)).encode()
        self.same(["eval", "--format", "csv", "--header"], data, expected)
        # Another reader of CSV sees the columns that went in, and the answer.
        got = list(csv.reader(io.StringIO(expected.decode(), newline="")))
        self.assertEqual(got, [row + [a] for row, a in zip(rows, answers)])
        only = "".join(f"{a}{end}" for (_, end), a in zip(raw, answers)).encode()
        self.same(["eval", "--format", "csv", "--header", "--answer-only", "--column", "score"],
                  data, only)
        # A byte order mark stays out of the first name; the last row may lack its end.
        self.same(["eval", "--format", "csv", "--header"],
                  b"\xef\xbb\xbfscore,a\n0.3,\xff\xfe\x00\n0.7,", b"score,a,hedge\n"
                  b"0.3,\xff\xfe\x00,0.25\n0.7,,0.75\n")

    def test_tsv(self):
        escapes = (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0"))
        raw, answers = [], []
        for _ in range(2000):
            note = self.note("ab ,\"'\n\t\\\r\0é").replace("\\", "\\\\")
            for char, escape in escapes:
                note = note.replace(char, escape)
            score, hedge = self.score(), self.rng.random()
            raw.append((f"{note}\t{score!r}\t{hedge!r}", self.rng.choice(("\n", "\r\n"))))
            answers.append((text(self.oracle.eval(score)), text(self.oracle.slope(score)),
                            text(self.oracle.inverse(hedge))))
        data = "".join(t + end for t, end in raw).encode()
        self.same(["eval", "--format", "tsv", "--column", "2", "--slope"], data,
                  "".join(f"{t}\t{a[0]}\t{a[1]}{end}" for (t, end), a in zip(raw, answers)).encode())
        self.same(["eval", "--format", "tsv", "--column", "3", "--inverse", "--answer-only"], data,
                  "".join(f"{a[2]}{end}" for (_, end), a in zip(raw, answers)).encode())
        # A name with an escape; a tab behind a backslash belongs to the field.
        self.same(["eval", "--format", "tsv", "--header", "--column", "a\tb"],
                  b"x\ta\\tb\n1\t0.3\n2\\\t2\t0.7\n", b"x\ta\\tb\thedge\n1\t0.3\t0.25\n"
                  b"2\\\t2\t0.7\t0.75\n")

    def test_json_lines(self):
        rows, lines = [], []
        for i in range(1500):
            score = self.score()
            row = {"id": i, "note": self.note('ab"\\\n\t\0é\U0001f600/'), "score": score,
                   "more": self.rng.choice((None, True, [], {}, [1, {"score": 2, "x": [[]]}],
                                            {"hedge": 1, "a": [1.5e-7, "]}"]}))}
            if not abs(score) < 1e400:  # JSON has no such number: a string of one is taken
                row["score"] = str(score)
            items = list(row.items())
            self.rng.shuffle(items)
            rows.append((dict(items), score))
            line = json.dumps(dict(items), ensure_ascii=self.rng.random() < 0.5,
                              separators=self.rng.choice(((",", ":"), (" , ", " : "))))
            lines.append(self.rng.choice(("", " ")) + line)
        data = "\n".join(lines).encode()
        expected = b""
        for line, (_, score) in zip(lines, rows):
            hedge = self.oracle.eval(score)
            answer = "null" if hedge != hedge else text(hedge)
            expected += f'{line[:-1]},"hedge":{answer}}}\n'.encode()
        self.same(["eval", "--format", "jsonl"], data, expected)
        for line, (row, score) in zip(expected.decode().split("\n"), rows):
            hedge = self.oracle.eval(score)
            self.assertEqual(json.loads(line), {**row, "hedge": None if hedge != hedge else hedge})
        self.same(["eval", "--format", "jsonl", "--answer-only", "--prefix", "my_"],
                  b'{"\\u0073core":0.3}\r\n{"score":0.7,"hedge":1}',
                  b'{"my_hedge":0.25}\r\n{"my_hedge":0.75}\n')
        self.same(["eval", "--format", "jsonl"], b'{"s":"\xff\x80","score":0.3}\n',
                  b'{"s":"\xff\x80","score":0.3,"hedge":0.25}\n')

    def test_bad_json(self):
        for bad in ('', ' ', '{}', '[0.3]', '0.3', '{"score":0.3', '{"score":0.3}}', '{"score":.3}',
                    '{"score":0.3,}', '{score:0.3}', "{'score':0.3}", '{"score":03}',
                    '{"score":nan}', '{"score":+1}', '{"score":"x"}', '{"score":null}',
                    '{"score":[0.3]}', '{"score":true}', '{"score":0.3,"a":"\\x"}',
                    '{"score":0.3,"a":"\\u12g4"}', '{"score":0.3,"a":"\t"}', '{"score":0.3 "a":1}',
                    '{"score":0.3,"score":0.3}', '{"score":0.3,"a":[1,]}', '{"score":0.3,"a":[1}}',
                    '{"score":0.3,"a":{"b"}}', '{"score":0.3} x', '{"score":0.3,"hedge":1}',
                    '{"score":1.}', '{"score":1e}', '{"score":"0.3}', '{"score":0.3,"a":tru}',
                    '{"score":0.3,"a":' + '[' * 100 + ']' * 100 + '}', '{"score":1e999}'):
            data = f'{{"score":0.3}}\n{bad}\n{{"score":0.7}}\n'.encode()
            code, out, err = run("eval", "--format", "jsonl", data=data)
            self.assertEqual((code, out), (BAD_DATA, b'{"score":0.3,"hedge":0.25}\n'), bad)
            self.assertRegex(err, "^hedge eval: line 2(: no JSON object: |, member (score|hedge)(: | is there twice))", bad)
            code, out, err = run("eval", "--format", "jsonl", "--on-error", "null", data=data)
            self.assertEqual(code, FINE, bad)
            answer = json.loads(out.decode().split("\n")[1])
            self.assertIsNone(answer["hedge"], bad)
            self.assertEqual(out.count(b"\n"), 3)

    def test_the_plain_way(self):
        scores = [self.score() for _ in range(20000)]
        data = "".join(f"{s!r}\n" for s in scores).encode()
        self.same(["eval"], data,
                  "".join(text(self.oracle.eval(s)) + "\n" for s in scores).encode())
        self.same(["eval", "--format", "plain", "--keep-going"], b"\xef\xbb\xbf0.3\nx\n 0.7\r\n\n1",
                  b"0.25\nnan\n0.75\nnan\n1\n", BAD_DATA, "(?s)line 2: .*line 4: .*2 rows")
        code, out, err = run("eval", "--json", "--threads", "8", data=data)
        points = json.loads(out)["points"]
        self.assertEqual(len(points), len(scores), err)
        for point, score in zip(points, scores):
            hedge = self.oracle.eval(score)
            self.assertEqual(point["hedge"], None if hedge != hedge else hedge)

    def test_order_over_two_million_rows(self):
        n = 2000000
        data = b"".join(b"%d\t%d.%06d\n" % (i, 0, i * 7919 % 1000000) for i in range(n))
        code, out, err = run("eval", "--format", "tsv", "--column", "2", data=data)
        self.assertEqual((code, err), (FINE, ""))
        _, alone, _ = run("eval", "--format", "tsv", "--column", "2", "--threads", "1", data=data)
        self.assertTrue(out == alone, "the threads change the answers")
        lines = out.split(b"\n")
        self.assertEqual(len(lines), n + 1)
        for i in range(0, n, 997):
            row, score, hedge = lines[i].split(b"\t")
            self.assertEqual((int(row), float(hedge)), (i, self.oracle.eval(float(score))))
        self.assertTrue(all(line.startswith(b"%d\t" % i) for i, line in enumerate(lines[:-1])))


class Faults(Streams):
    def test_the_line_and_the_column_are_named(self):
        before = "".join(f'{i},"a\n,b",0.3\n' for i in range(5000))
        expected = "".join(f'{i},"a\n,b",0.3,0.25\n' for i in range(5000))
        for bad, words in (("1,b,x", "line 10002, column score: 'x' is not a number"),
                           ("1,b,", "line 10002, column score: a value is missing"),
                           ("1,b,\\N", "column score: a value is missing"),
                           ('1,b,""', "column score: a value is missing"),
                           ("1,b", "line 10002: 2 columns, where each row must have 3"),
                           ("1,b,0.3,4", "line 10002: 4 columns, where each row must have 3"),
                           ("", "line 10002: 1 column, where each row must have 3"),
                           ('1,b"b,0.3', "line 10002, column 2: a quote within an unquoted"),
                           ('1,"b"b,0.3', "line 10002, column 2: text follows a closing quote"),
                           ("1,b, 0.3", "' 0.3' is not a number"),
                           ("1,b,\x1b[31m\x07", r"'\?\[31m\?' is not a number")):
            self.same(["eval", "--format", "csv", "--header"],
                      f"id,b,score\n{before}{bad}\n1,c,0.7\n".encode(),
                      f"id,b,score,hedge\n{expected}".encode(), BAD_DATA, words)
            self.same(["eval", "--format", "csv", "--header", "--on-error", "null"],
                      f"id,b,score\n{before}{bad}\n1,c,0.7\n".encode(),
                      f"id,b,score,hedge\n{expected}{bad},\n1,c,0.7,0.75\n".encode(), FINE,
                      words + "(?s:.*)\nhedge eval: 1 row could not be answered\n$")
        self.same(["eval", "--format", "csv"], b'0.3\n"0.7\n\n', b"0.3,0.25\n", BAD_DATA,
                  "line 2, column 1: a quote is never closed")
        self.same(["eval", "--format", "tsv", "--column", "2"], b"a\t0.3\nb\nc\t0.7\n",
                  b"a\t0.3\t0.25\n", BAD_DATA, "line 2: 1 column, where column 2 is to be read")
        self.same(["eval", "--format", "tsv"], b"0.3\nb\\\n0.3\n", b"0.3\t0.25\n", BAD_DATA,
                  "line 2, column 1: it ends in a backslash")
        self.same(["eval", "--format", "tsv", "--on-error", "null"], b"0.3\n\\N\n\nnan\n",
                  b"0.3\t0.25\n\\N\t\\N\n\t\\N\nnan\tnan\n", FINE, "2 rows could not")

    def test_few_messages_for_many_faults(self):
        data = b"0.3\nx\n" * 50000
        for threads in (1, 4):
            code, out, err = run("eval", "--on-error", "null", "--threads", threads, data=data)
            self.assertEqual((code, out), (FINE, b"0.25\nnan\n" * 50000))
            lines = err.splitlines()
            self.assertEqual([line.split(":")[1] for line in lines[:-1]],
                             [f" line {2 * i}" for i in range(1, 11)])
            self.assertEqual(lines[-1], "hedge eval: 50000 rows could not be answered")

    def test_headers(self):
        for head, words in (("id,b", "line 1: the header has no column score"),
                            ("score,score", "there twice"), ("score,hedge", "--prefix is needed"),
                            ('score,"b', "a quote is never closed")):
            code, out, err = run("eval", "--format", "csv", "--header", data=f"{head}\n1,2\n".encode())
            self.assertEqual((code, out), (BAD_DATA, b""), head)
            self.assertIn(words, err)
        # A name with a NUL, raw or as an escape, is another name.
        for form, head in (("csv", b"score\0"), ("csv", b'"score\0x"'), ("tsv", b"score\\0"),
                           ("tsv", b"score\\0x\tb")):
            code, out, err = run("eval", "--format", form, "--header", data=head + b"\n0.3\t1\n")
            self.assertEqual((code, out), (BAD_DATA, b""), head)
            self.assertIn("line 1: the header has no column score", err)
        self.same(["eval", "--format", "tsv", "--header"], b"hedge\\0\tscore\nx\t0.3\n",
                  b"hedge\\0\tscore\thedge\nx\t0.3\t0.25\n")
        self.same(["eval", "--format", "csv", "--header"], b"", b"")
        self.same(["eval", "--format", "csv", "--header"], b"a,score", b"a,score,hedge\n")
        self.same(["eval", "--format", "csv", "--header", "--prefix", "new."], b"score,hedge\n0.3,1\n",
                  b"score,hedge,new.hedge\n0.3,1,0.25\n")

    def test_long_names(self):
        for n in (127, 128, 129, 5000):
            name = "s" * n
            self.same(["eval", "--format", "csv", "--header", "--column", name],
                      f'"{name}x",{name}\n1,0.3\n'.encode(),
                      f'"{name}x",{name},hedge\n1,0.3,0.25\n'.encode())
            row = rf'{{"\u0073{name}":1,"\u0073{name[1:]}":0.3'
            self.same(["eval", "--format", "jsonl", "--column", name], (row + "}\n").encode(),
                      (row + ',"hedge":0.25}\n').encode())

    def test_long_rows(self):
        limit = 1 << 20
        fits = b"0.3," + b"x" * (limit - 4)
        for end in (b"\n", b"\r\n", b""):
            self.same(["eval", "--format", "csv"], b"0.7,\n" + fits + end,
                      b"0.7,,0.75\n" + fits + b",0.25" + (end or b"\n"))
        for bad in (fits + b"x\n0.3,\n", fits + b"x", b'"' + b"0.3,\n" * 400000):
            self.same(["eval", "--format", "csv", "--on-error", "null"], b"0.7,\n" + bad,
                      b"0.7,,0.75\n", USAGE, "line 2: .* longer than 1048576 bytes")

    def test_wrong_usage(self):
        for words, *args in (("--format: 'xml'", "eval", "--format", "xml"),
                             ("--on-error: 'skip'", "eval", "--on-error", "skip"),
                             ("--threads: '0'", "eval", "--threads", "0"),
                             ("--header is for", "eval", "--format", "jsonl", "--header"),
                             ("--header is for", "eval", "--header"),
                             ("do not go together", "eval", "--format", "csv", "--header",
                              "--chunk-header"),
                             ("--column: 'score' is not a number from 1", "eval", "--format", "csv",
                              "--column", "score"),
                             ("--column is for", "eval", "--column", "1"),
                             ("--prefix: 'a b'", "eval", "--prefix", "a b"),
                             ("--json is for", "eval", "--json", "--format", "csv"),
                             ("either as arguments or in a stream", "eval", "0.3", "--format", "csv"),
                             ("a stream of decisions needs", "size", "--format", "plain"),
                             ("--score is for one decision", "size", "--format", "csv", "--score", "1"),
                             ("--answers is for a stream", "size", "--answers", "status"),
                             ("--answers: 'x' is no answer", "size", "--format", "csv", "--header",
                              "--answers", "status,x"),
                             ("--answers: 'status' is there twice", "size", "--format", "csv",
                              "--header", "--answers", "status,status"),
                             ("need --header or --columns", "size", "--format", "csv"),
                             ("--columns is for", "size", "--format", "csv", "--header", "--columns",
                              "asset"),
                             ("--columns: 'y' is no column", "size", "--format", "tsv", "--columns",
                              "asset,y"),
                             ("--columns: 'asset' is there twice", "size", "--format", "tsv",
                              "--columns", "asset,_,asset"),
                             ("no asset 'BTX'; did you mean 'BTC'", "size", "--format", "jsonl",
                              "--asset", "BTX"),
                             ("--now-ns: '1.5'", "size", "--format", "jsonl", "--now-ns", "1.5")):
            code, out, err = run(*args, data=b"0.3\n")
            self.assertEqual((code, out), (USAGE, b""), args)
            self.assertIn(words, err, args)


class Size(Streams):
    NOW = 1795355592846000000
    ANSWERS = ("hedge_pct", "notional_usd", "hedge_confidence", "status", "flags")
    ALL = ANSWERS + ("status_code", "flag_bits", "score_used", "liquidity_weight",
                     "effective_score", "liquidity_quality", "score_age_ns", "depth_age_ns")

    def rows(self, n):
        rng = self.rng
        rows = []
        for _ in range(n):
            now = self.NOW + rng.randint(-10**12, 10**12)
            row = {"asset": rng.choice(("BTC", "ETH", "LTC", "XRP", "DOGE", "x" * 40)),
                   "amount_usd": rng.choice((rng.uniform(0, 1e6), rng.uniform(0, 2e9), -1.0,
                                             float("nan"), 0.0)),
                   "score": rng.choice((rng.random(), rng.random(), 1.5, None)),
                   "confidence": rng.random(),
                   "score_ts_ns": now - rng.choice((0, 10**6, 3 * 10**9, 3 * 10**9 + 1, -10**9)),
                   "previous_score": rng.choice((None, rng.random())),
                   "depth1pct_usd": rng.choice((rng.uniform(0, 5e6), rng.uniform(0, 5e6), None)),
                   "depth_ts_ns": now - rng.choice((0, 10**6, 5 * 10**9, 5 * 10**9 + 1)),
                   "override_score": rng.choice((None, None, rng.random(), 7.0)),
                   "halted": rng.random() < 0.05, "now_ns": now}
            rows.append(row)
        return rows

    @staticmethod
    def cell(value, null):
        if value is None:
            return null
        return str(int(value)) if isinstance(value, bool) else str(value)

    @staticmethod
    def answer(value):
        if isinstance(value, list):
            return "|".join(value)
        return text(value) if isinstance(value, float) else str(value)

    def test_csv_and_tsv(self):
        rows = self.rows(1200)
        names = list(rows[0]) + ["kept"]
        self.rng.shuffle(names)
        for form, tab, null in (("csv", ",", ""), ("tsv", "\t", "\\N")):
            for answers in (self.ANSWERS, self.ALL):
                lines, expected = [tab.join(names)], [tab.join((*names, *answers))]
                for row in rows:
                    line = tab.join(self.cell(row.get(name, "k"), null) for name in names)
                    decision = self.oracle.size(row)
                    lines.append(line)
                    expected.append(tab.join((line, *(self.answer(decision[a]) for a in answers))))
                args = [] if answers is self.ANSWERS else ["--answers", ",".join(answers)]
                self.same(["size", "--format", form, "--header", *args],
                          ("\n".join(lines) + "\n").encode(), ("\n".join(expected) + "\n").encode())
            listed = ",".join("_" if name == "kept" else name for name in names)
            self.same(["size", "--format", form, "--columns", listed, "--answers", ",".join(self.ALL)],
                      "\n".join(lines[1:]).encode(), ("\n".join(expected[1:]) + "\n").encode())

    def test_json_lines(self):
        rows = self.rows(800)
        data = ""
        for row in rows:
            row["amount_usd"] = abs(row["amount_usd"]) if row["amount_usd"] == row["amount_usd"] else 1
            if self.rng.random() < 0.3:
                del row["confidence"]
            shown = dict(row)
            if self.rng.random() < 0.5:  # as ClickHouse quotes integers of 64 bits
                shown["now_ns"] = str(row["now_ns"])
            data += json.dumps(shown) + "\n"
        code, out, err = run("size", "--format", "jsonl", "--answers", ",".join(self.ALL),
                             "--prefix", "a.", data=data.encode())
        self.assertEqual((code, err), (FINE, ""))
        for line, row in zip(out.decode().splitlines(), rows, strict=True):
            answer = json.loads(line)
            decision = self.oracle.size(row)
            self.assertEqual({a: answer["a." + a] for a in self.ALL}, decision, row)

    def test_one_answer_a_row(self):
        """As a user-defined function of one column needs it."""
        data = b"BTC\t250000\t0.62\t780341.2\nETH\t1000\t0.5\t1e6\nDOGE\t1\t0.5\t1e6\n"
        expected = "".join(self.answer(self.oracle.size(
            {"asset": a, "amount_usd": m, "score": s, "depth1pct_usd": d})["hedge_pct"]) + "\n"
            for a, m, s, d in (("BTC", 250000.0, 0.62, 780341.2), ("ETH", 1000.0, 0.5, 1e6),
                               ("DOGE", 1.0, 0.5, 1e6)))
        self.same(["size", "--format", "tsv", "--columns", "asset,amount_usd,score,depth1pct_usd",
                   "--answers", "hedge_pct", "--answer-only"], data, expected.encode())
        self.assertEqual(expected.splitlines()[2], "0")

    def test_what_holds_for_all_rows(self):
        row = {"asset": "BTC", "amount_usd": 5.0, "score": 0.5, "depth1pct_usd": 1e6,
               "score_ts_ns": self.NOW - 4 * 10**9}
        code, out, _ = run("size", "--format", "csv", "--columns",
                           "amount_usd,score,depth1pct_usd,score_ts_ns", "--asset", "BTC", "--now-ns",
                           self.NOW, "--answers", "status", "--answer-only",
                           data=b"5,0.5,1e6,%d\n5,0.5,1e6,%d\n" % (row["score_ts_ns"], self.NOW))
        self.assertEqual((code, out), (FINE, b"stale_score\nok\n"))
        self.assertEqual(self.oracle.size(row, self.NOW)["status"], "stale_score")

    def test_rows_that_cannot_be_decided(self):
        columns = "asset,amount_usd,score,confidence,score_ts_ns,depth1pct_usd,halted,now_ns"
        good = ["BTC", "5", "0.5", "1", str(self.NOW), "1e6", "0", str(self.NOW)]
        for place, bad, words in ((0, "", "column asset: a value is missing"),
                                  (1, "", "column amount_usd: a value is missing"),
                                  (1, "x", "column amount_usd: 'x' is not a number"),
                                  (2, "x", "column score: 'x' is not a number"),
                                  (3, "", "column confidence: a value is missing"),
                                  (4, "", "column score_ts_ns: a value is missing"),
                                  (4, "1.5", "column score_ts_ns: '1.5' is not a whole number"),
                                  (4, "9223372036854775808", "is not a whole number of 64 bits"),
                                  (6, "yes", "column halted: 'yes' is not 0, 1, false or true"),
                                  (7, "", "column now_ns: a value is missing")):
            row = list(good)
            row[place] = bad
            data = "\n".join((",".join(good), ",".join(row), ",".join(good), "")).encode()
            code, out, err = run("size", "--format", "csv", "--columns", columns, data=data)
            self.assertEqual((code, out.count(b"\n")), (BAD_DATA, 1), words)
            self.assertRegex(err, "^hedge size: line 2, .*" + words)
            code, out, err = run("size", "--format", "csv", "--columns", columns, "--on-error", "null",
                                 data=data)
            lines = out.decode().splitlines()
            self.assertEqual((code, lines[1]), (FINE, ",".join(row) + ",,,,,"), words)
            self.assertEqual(lines[0], lines[2])
        code, out, err = run("size", "--format", "jsonl", data=b'{"asset":"BTC","amount_usd":1,'
                             b'"score":0.5,"score_ts_ns":1,"depth1pct_usd":1e6}\n')
        self.assertEqual((code, out), (BAD_DATA, b""))
        self.assertIn("line 1, member now_ns: a value is missing", err)
        code, out, err = run("size", "--format", "jsonl", data=b'{"amount_usd":1}\n')
        self.assertEqual((code, out), (BAD_DATA, b""))
        self.assertIn("line 1, member asset: a value is missing", err)

    def test_a_name_with_a_nul_is_unknown(self):
        """What is behind the NUL belongs to the name, however it is written."""
        tail, columns = b"5\t0.5\t1e6", "asset,amount_usd,score,depth1pct_usd"
        for name in (b"BTC\0", b"BTC\0-PERP", b"\0BTC", b"BTC\0\0\0\0\0", b"\0", b"BTC\0" + b"x" * 40):
            csv_row = name + b"," + tail.replace(b"\t", b",")
            tsv_row = name.replace(b"\0", b"\\0") + b"\t" + tail
            json_row = b'{"asset":"%s","amount_usd":5,"score":0.5,"depth1pct_usd":1e6}' % (
                name.replace(b"\0", b"\\u0000"))
            for form, row in (("csv", csv_row), ("csv", b'"' + csv_row.replace(b",", b'",', 1)),
                              ("tsv", tsv_row), ("tsv", name + b"\t" + tail), ("jsonl", json_row)):
                args = ["size", "--format", form, "--answers", "status,hedge_pct", "--answer-only"]
                args += ["--columns", columns] if form != "jsonl" else []
                expected = {"csv": b"unknown_asset,0\n", "tsv": b"unknown_asset\t0\n",
                            "jsonl": b'{"status":"unknown_asset","hedge_pct":0}\n'}[form]
                self.assertEqual(run(*args, data=row), (FINE, expected, ""), row)
        code, out, err = run("size", "--format", "jsonl", "--asset", "BTC", "--answers", "status",
                             "--answer-only", data=rb'{"asset\u0000":"x","amount_usd":5,"score":0.5,'
                             rb'"depth1pct_usd":1e6,"halted\u0000":1}')
        self.assertEqual((code, out, err), (FINE, b'{"status":"ok"}\n', ""))


if __name__ == "__main__":
    print(f"seed {SEED}", flush=True)
    unittest.main()
