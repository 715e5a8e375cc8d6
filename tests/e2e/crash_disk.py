# SPDX-License-Identifier: MIT
"""A disk that loses power: what may be left of files, by the events that crash_trace.c noted.

What was flushed is there. Of the writes of a file since, each sector of 512 bytes may be there or
not, whatever the order they were made in, whole or, where a fate says so, broken in the midst of
what was written; never outside it, which SQLite relies on (SQLITE_POWERSAFE_OVERWRITE). A file's
changes of size happen in their order, up to some point: a file system journals them. Bytes that a
file grew by and that did not arrive are zeros. Names come and go in their order up to some point,
and are sure only once the folder is flushed: POSIX promises no more, though ext4 and xfs keep the
name of a new file that was flushed itself."""
import struct

SECTOR = 512
MADE, WRITTEN, SIZED, FLUSHED, REMOVED, FOLDER, SENT, STRANGE = range(1, 9)
HEAD = struct.Struct("<IIQqq")


class Event:
    """One event of a trace; its number counts from the story's beginning."""
    __slots__ = ("kind", "file", "at", "ns", "data")

    def __init__(self, kind, file=0, at=0, ns=0, data=b""):
        self.kind, self.file, self.at, self.ns, self.data = kind, file, at, ns, data


def read_trace(path, first=0, cut_off=False):
    """The events of one life, which is the `first`-th event and those behind it.

    cut_off: the process was killed, perhaps in the midst of the last one."""
    with open(path, "rb") as f:
        trace = f.read()
    out, at = [], 0
    while at < len(trace):
        end = at + HEAD.size
        if end <= len(trace):
            kind, size, file, where, ns = HEAD.unpack_from(trace, at)
            end += size
        if end > len(trace):
            if cut_off:
                break
            raise AssertionError(f"the trace is cut off at {at} of {len(trace)} bytes")
        data = trace[end - size:end]
        if kind == STRANGE:
            raise AssertionError(f"the model does not know what {data.decode()} does to a file")
        if kind in (FLUSHED, FOLDER):
            where += first
        out.append(Event(kind, file, where, ns, data))
        at = end
    return out


def put(out, at, data):
    """Writes into a bytearray, which grows by zeros where it must."""
    if at > len(out):
        out.extend(bytes(at - len(out)))
    out[at:at + len(data)] = data


def resize(out, size):
    if size < len(out):
        del out[size:]
    else:
        out.extend(bytes(size - len(out)))


class File:
    """What is flushed of one file, and its changes since: (event, at, data or None: a size)."""

    def __init__(self, name, flushed=b""):
        self.name, self.flushed, self.changes = name, bytearray(flushed), []

    def flush(self, before):
        """The changes before that event are safe from now on."""
        kept = [c for c in self.changes if c[0] >= before]
        for _, at, data in self.changes[:len(self.changes) - len(kept)]:
            self._change(self.flushed, at, data)
        self.changes = kept

    @staticmethod
    def _change(out, at, data):
        if data is None:
            resize(out, at)
        else:
            put(out, at, data)

    def whole(self):
        """As a reader finds it while the power is on."""
        out = bytearray(self.flushed)
        for _, at, data in self.changes:
            self._change(out, at, data)
        return bytes(out)

    def left(self, fate):
        """As one crash may leave it."""
        out, sized = bytearray(self.flushed), fate.up_to(len(self.changes))
        for i, (_, at, data) in enumerate(self.changes):
            if data is None:
                if i < sized:
                    resize(out, at)
                continue
            if i < sized and at + len(data) > len(out):
                resize(out, at + len(data))
            for begin, part in fate.parts(i, at, data):
                part = part[:max(0, len(out) - begin)]  # what no size covers is out of reach
                out[begin:begin + len(part)] = part
        return bytes(out)


class Disk:
    """The files of a folder, event by event.

    lies(number, name): a flush of that file ("": of the folder) that says it was done, and was
    not; for tests of the test."""

    def __init__(self, files=None, lies=None):
        """files: {inode: (name, bytes)}, flushed."""
        self.files = {inode: File(name, data) for inode, (name, data) in (files or {}).items()}
        self.flushed_names = {f.name: f for f in self.files.values()}
        self.names = []  # changes since: (event, name, File or None)
        self.count, self.lies = 0, lies or (lambda number, name: False)

    def apply(self, event):
        number, kind = self.count, event.kind
        self.count += 1
        if kind == MADE:
            name = event.data.decode()
            self.files[event.file] = File(name)
            self.names.append((number, name, self.files[event.file]))
        elif kind == REMOVED:
            self.names.append((number, event.data.decode(), None))
        elif kind == WRITTEN:
            self.files[event.file].changes.append((number, event.at, event.data))
        elif kind == SIZED:
            self.files[event.file].changes.append((number, event.at, None))
        elif kind == FLUSHED:
            if not self.lies(number, self.files[event.file].name):
                self.files[event.file].flush(event.at)
        elif kind == FOLDER and not self.lies(number, ""):
            gone = [c for c in self.names if c[0] < event.at]
            self._rename(self.flushed_names, gone)
            self.names = self.names[len(gone):]

    @staticmethod
    def _rename(names, changes):
        for _, name, file in changes:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file
        return names

    def listed(self):
        """{name: File} as it is while the power is on."""
        return self._rename(dict(self.flushed_names), self.names)

    def whole(self):
        return {name: file.whole() for name, file in self.listed().items()}

    def pending(self):
        """How many changes a crash may undo."""
        return len(self.names) + sum(len(f.changes) for f in set(self.listed().values())
                                     | set(self.flushed_names.values()))

    def left(self, fate):
        """{name: bytes} as one crash may leave them."""
        names = self._rename(dict(self.flushed_names), self.names[:fate.up_to(len(self.names))])
        return {name: file.left(fate) for name, file in names.items()}


# ---- fates: what becomes of changes that were not flushed ---------------------------------------

class Nothing:
    """Nothing has arrived that was not flushed."""

    def up_to(self, n):  # pylint: disable=unused-argument
        return 0

    def parts(self, i, at, data):  # pylint: disable=unused-argument
        return ()


class Everything:
    def up_to(self, n):
        return n

    def parts(self, i, at, data):  # pylint: disable=unused-argument
        return ((at, data),)


class Some:
    """Random, by whole writes: all but one, one alone, or those before a moment."""

    def __init__(self, luck):
        self.luck, self.way = luck, luck.choice(("but one", "but one", "one", "before"))
        self.n = self.chosen = 0

    def up_to(self, n):
        self.n = n
        self.chosen = self.luck.randrange(n) if n else 0
        if self.way == "but one":
            return n
        return self.chosen + (self.way == "one")

    def parts(self, i, at, data):
        keeps = {"but one": i != self.chosen, "one": i == self.chosen,
                 "before": i < self.chosen}[self.way]
        return ((at, data),) if keeps else ()


class Sectors:
    """Random, by sectors; torn: some hold only a beginning or an end of what was written, or
    rubbish where it was, but for a file's first sector, by which `hedge verify` knows it."""

    def __init__(self, luck, torn=False):
        self.luck, self.torn = luck, torn
        self.chance = luck.choice((0.1, 0.5, 0.9, 0.98))

    def up_to(self, n):
        return n if self.luck.random() < self.chance else self.luck.randint(0, n)

    def parts(self, i, at, data):  # pylint: disable=unused-argument
        begin = 0
        while begin < len(data):
            end = min(len(data), (at + begin) // SECTOR * SECTOR + SECTOR - at)
            if self.luck.random() < self.chance:
                yield self._part(at + begin, data[begin:end])
            begin = end

    def _part(self, at, part):
        if not self.torn or self.luck.random() < 0.9:
            return at, part
        way, cut = self.luck.randrange(3), self.luck.randrange(len(part))
        if way == 0 and at >= SECTOR:
            return at, self.luck.randbytes(len(part))
        return (at, part[:cut]) if way == 1 else (at + cut, part[cut:])


def fates(luck):
    """For one crash: nothing, and two others by chance."""
    others = [Everything(), Some(luck), Some(luck), Sectors(luck), Sectors(luck),
              Sectors(luck, torn=True)]
    return [Nothing(), *luck.sample(others, 2)]
