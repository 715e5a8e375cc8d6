# SPDX-License-Identifier: MIT
"""Makes the mutants of a C file: small changes, each of which a test should notice.

It reads tokens, not a grammar, and leans on the layout that clang-format gives our files: a binary
operator has blanks around it, a pointer's star and a sign do not. Comments, strings, preprocessor
lines, asserts, attributes and hints to the compiler are left alone."""
import re
from dataclasses import dataclass

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>(?:0[xX][0-9a-fA-F.]+(?:[pP][+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[uUlLfF]*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<mark>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|%=|&=|\|=|\^=|\.\.\.|[^\s])
""", re.X | re.S | re.M)

BINARY = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
          "==": ("!=",), "!=": ("==",), "&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",),
          "*": ("/",), "/": ("*",), "%": ("*",), "<<": (">>",), ">>": ("<<",), "&": ("|",),
          "|": ("&",), "^": ("&",), "+=": ("-=",), "-=": ("+=",), "*=": ("/=",), "/=": ("*=",),
          "|=": ("&=",), "&=": ("|=",), "^=": ("&=",), "<<=": (">>=",), ">>=": ("<<=",)}
# What stands in the parentheses of these is not ours to change.
LEFT_ALONE = {"assert", "_Static_assert", "static_assert", "__attribute__", "sizeof", "__typeof__"}
STATEMENTS_KEPT = {"if", "else", "for", "while", "do", "switch", "case", "default", "return",
                   "goto", "typedef", "static", "const", "struct", "enum", "union", "extern",
                   "inline", "register", "_Static_assert", "assert", "__attribute__"}
FAMILY = re.compile(r"HEDGE_(?:TRIP|E|FLAG|MARK|QUOTE|ACTION|BLEND|WEIGHT|SET|METHOD)_\w+")


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int
    depth: int  # of braces around it


@dataclass(frozen=True)
class Mutant:
    start: int
    end: int
    new: str
    kind: str

    def applied(self, source):
        return source[:self.start] + self.new + source[self.end:]


def tokens_of(source):
    """The tokens that count; braces carry the depth outside of them."""
    out, depth = [], 0
    for found in TOKEN.finditer(source):
        kind, text = found.lastgroup, found.group()
        if kind in ("comment", "directive"):
            continue
        depth -= text == "}"
        out.append(Token(kind, text, found.start(), found.end(), depth))
        depth += text == "{"
    return out


def closing(tokens, at):
    """The index of what closes tokens[at]."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    first, last, depth = tokens[at].text, pairs[tokens[at].text], 0
    for i in range(at, len(tokens)):
        depth += (tokens[i].text == first) - (tokens[i].text == last)
        if depth == 0:
            return i
    return len(tokens) - 1


class Maker:
    def __init__(self, source):
        self.source, self.tokens, self.out = source, tokens_of(source), []
        self.alone = self._alone()
        self.functions = self._functions()

    # ---- what is where
    def _alone(self):
        """Indices of tokens that stay as they are."""
        out = set()
        for i, t in enumerate(self.tokens):
            following = self.tokens[i + 1].text if i + 1 < len(self.tokens) else ""
            if t.text in LEFT_ALONE and following == "(":
                out.update(range(i, closing(self.tokens, i + 1) + 1))
            elif t.text == "__builtin_expect":
                end = closing(self.tokens, i + 1)
                out.update(range(end - 2, end))  # the hint
            elif t.text == "enum" and not self._inside_function(i):
                brace = next((k for k in range(i, min(i + 3, len(self.tokens)))
                              if self.tokens[k].text == "{"), None)
                if brace:
                    out.update(range(i, closing(self.tokens, brace) + 1))
        return out

    def _inside_function(self, i):
        return self.tokens[i].depth > 0

    def _functions(self):
        """[(name, type words, first token of the body, last)]."""
        out, i, tokens = [], 0, self.tokens
        while i < len(tokens):
            if tokens[i].text != "{" or tokens[i].depth != 0:
                i += 1
                continue
            end = closing(tokens, i)
            if tokens[i - 1].text == ")":
                k, depth = i - 1, 0
                while True:
                    depth += (tokens[k].text == ")") - (tokens[k].text == "(")
                    if depth == 0:
                        break
                    k -= 1
                head = k - 2
                while head >= 0 and tokens[head].text not in (";", "}", ")"):
                    head -= 1
                words = [t.text for t in tokens[head + 1:k - 1]]
                out.append((tokens[k - 1].text, words, i, end))
            i = end + 1
        return out

    def function_at(self, offset):
        for name, _, first, last in self.functions:
            if self.tokens[first].start <= offset <= self.tokens[last].end:
                return name
        return "-"

    def _spaced(self, t):
        before, after = self.source[t.start - 1], self.source[t.end:t.end + 1]
        return before.isspace() and after.isspace()

    def _add(self, start, end, new, kind):
        if self.source[start:end] != new:
            self.out.append(Mutant(start, end, new, kind))

    # ---- the kinds of changes
    def _operators(self, i, t):
        if t.kind != "mark":
            return
        if t.text in BINARY and self._spaced(t):
            for new in BINARY[t.text]:
                self._add(t.start, t.end, new, "operator")
        elif t.text == "-" and not self._spaced(t):
            self._add(t.start, t.end, "", "sign")
        elif t.text in ("!", "~"):
            self._add(t.start, t.end, "", "negation")
        elif t.text in ("++", "--"):
            self._add(t.start, t.end, "--" if t.text == "++" else "++", "operator")
        elif t.text == "?":
            self._add(t.start, t.end, "== 0 ?", "condition")

    def _declares(self, i):
        """True if the statement around token i declares something."""
        k = i
        while k > 0 and self.tokens[k - 1].text not in (";", "{", "}"):
            k -= 1
        a, b = self.tokens[k], self.tokens[k + 1]
        return a.kind == "word" and (b.kind == "word" or b.text == "*") and a.text not in (
            "return", "case", "else", "goto")

    def _numbers(self, i, t):
        if t.kind == "word" and t.text in ("true", "false"):
            self._add(t.start, t.end, "false" if t.text == "true" else "true", "constant")
        if t.kind == "word" and FAMILY.fullmatch(t.text):
            self._family(t)
        if t.kind != "number":
            return
        if self.tokens[i - 1].text == "[" and self.tokens[i + 1].text == "]" and self._declares(i):
            return  # an array's size
        if "." in t.text or ("p" in t.text.lower() and t.text[:2].lower() == "0x") or (
                "e" in t.text.lower() and t.text[:2].lower() != "0x"):
            self._add(t.start, t.end, f"({t.text} + 1)", "constant")
            if float.fromhex(t.text) if t.text[:2].lower() == "0x" else float(t.text.rstrip("fF")):
                self._add(t.start, t.end, "0.0", "constant")
            return
        self._add(t.start, t.end, f"({t.text} + 1)", "constant")
        if t.text.rstrip("uUlL") != "0":
            self._add(t.start, t.end, f"({t.text} - 1)", "constant")

    def _family(self, t):
        prefix = "_".join(t.text.split("_")[:2])
        others = sorted({o.text for o in self.tokens if o.kind == "word"
                         and FAMILY.fullmatch(o.text) and o.text.startswith(prefix + "_")})
        if len(others) > 1:
            self._add(t.start, t.end, others[(others.index(t.text) + 1) % len(others)], "name")

    def _conditions(self, i, t):
        if t.text not in ("if", "while") or self.tokens[i + 1].text != "(":
            return
        end = closing(self.tokens, i + 1)
        a, b = self.tokens[i + 1].end, self.tokens[end].start
        self._add(a, b, f"!({self.source[a:b]})", "condition")

    def _calls(self, i, t):
        """Swaps neighbours among the arguments, where both are plain."""
        if t.kind != "word" or i + 1 >= len(self.tokens) or self.tokens[i + 1].text != "(":
            return
        if t.text in STATEMENTS_KEPT or t.text in LEFT_ALONE or t.text == "__builtin_expect":
            return
        parts, begin, depth = [], i + 2, 0
        end = closing(self.tokens, i + 1)
        for k in range(i + 2, end + 1):
            text = self.tokens[k].text
            depth += (text in "([{") - (text in ")]}" and k < end)
            if (text == "," and depth == 0) or k == end:
                parts.append((begin, k))
                begin = k + 1
        for (a, b), (c, d) in zip(parts, parts[1:]):
            plain = all(x.kind in ("word", "number") or x.text in ("->", ".", "&", "[", "]")
                        for x in self.tokens[a:b] + self.tokens[c:d])
            if a < b and c < d and plain:
                one = self.source[self.tokens[a].start:self.tokens[b - 1].end]
                two = self.source[self.tokens[c].start:self.tokens[d - 1].end]
                between = self.source[self.tokens[b - 1].end:self.tokens[c].start]
                self._add(self.tokens[a].start, self.tokens[d - 1].end, two + between + one,
                          "arguments")

    def _statements(self, first, last):
        """Leaves out each expression statement, break, continue and bare return."""
        k = first + 1
        while k < last:
            starts = self.tokens[k - 1].text in (";", "{", "}", "else") or (
                self.tokens[k - 1].text == ")" and self._after_condition(k - 1))
            t = self.tokens[k]
            if starts and k not in self.alone and t.text not in ("{", "}", ";"):
                end = k
                depth = 0
                while end < last:
                    text = self.tokens[end].text
                    if text == ";" and depth == 0:
                        break
                    depth += (text in "([{") - (text in ")]}")
                    end += 1
                plain = t.text not in STATEMENTS_KEPT and not self._declares_here(k)
                if plain or (t.text == "return" and end == k + 1):
                    self._add(t.start, self.tokens[end].start, "", "statement")
            k += 1

    def _declares_here(self, k):
        a, b = self.tokens[k], self.tokens[k + 1]
        return a.kind == "word" and (b.kind == "word" or (
            b.text == "*" and not self._spaced(b) and self.tokens[k + 2].kind == "word"))

    def _after_condition(self, k):
        depth = 0
        while k >= 0:
            depth += (self.tokens[k].text == ")") - (self.tokens[k].text == "(")
            if depth == 0:
                return self.tokens[k - 1].text in ("if", "while", "for")
            k -= 1
        return False

    def _returns(self, words, first, last):
        kind = [w for w in words if w not in ("static", "inline", "const", "TARGET_FMA")]
        for k in range(first, last):
            if self.tokens[k].text != "return" or self.tokens[k + 1].text == ";":
                continue
            end = k
            while self.tokens[end].text != ";":
                end += 1
            a, b = self.tokens[k + 1].start, self.tokens[end].start
            value = self.source[a:b]
            if "*" in kind:
                self._add(a, b, "NULL", "return")
            elif "bool" in kind:
                self._add(a, b, "true", "return")
                self._add(a, b, "false", "return")
            elif "double" in kind:
                self._add(a, b, "0.0", "return")
                self._add(a, b, f"({value}) + 1.0", "return")
            else:
                self._add(a, b, "0", "return")
                self._add(a, b, f"({value}) + 1", "return")

    def mutants(self):
        for i, t in enumerate(self.tokens):
            if i in self.alone:
                continue
            self._operators(i, t)
            self._numbers(i, t)
            self._conditions(i, t)
            if t.depth > 0:
                self._calls(i, t)
        for _, words, first, last in self.functions:
            self._statements(first, last)
            self._returns(words, first, last)
        seen, out = set(), []
        for m in sorted(self.out, key=lambda m: (m.start, m.end, m.new)):
            text = m.applied(self.source)
            if text not in seen:
                seen.add(text)
                out.append(m)
        return out
