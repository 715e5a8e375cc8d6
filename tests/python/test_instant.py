# SPDX-License-Identifier: MIT
"""Times: one instant in every spelling is one number; what is ambiguous is refused."""
import unittest
from datetime import datetime, timedelta, timezone

import numpy as np

import runner
from hedge.instant import NOT_A_TIME, instant_ns, instants_ns

NS = 1_709_210_096_123_456_000  # 2024-02-29 12:34:56.123456 UTC
HERE = datetime(2024, 2, 29, 12, 34, 56, 123456, tzinfo=timezone.utc)


class Instants(unittest.TestCase):
    def test_every_spelling(self):
        tokyo = HERE.astimezone(timezone(timedelta(hours=9)))
        for value in (NS, np.int64(NS), np.uint64(NS), HERE, tokyo, np.datetime64(NS, "ns"),
                      np.datetime64("2024-02-29T12:34:56.123456"), np.array(NS),
                      np.array(NS, "M8[ns]")):
            self.assertEqual(instant_ns("t", value), NS, repr(value))
        many = [np.array([NS]), np.array([NS], ">i8"), np.array([NS], "M8[ns]"), [HERE], [tokyo],
                [np.datetime64(NS, "ns")], np.array(["2024-02-29T12:34:56.123456"], "M8[us]")]
        for values in many:
            got = instants_ns("t", values)
            self.assertEqual((got.tolist(), got.dtype), ([NS], np.int64), repr(values))

    def test_pandas(self):
        try:
            import pandas as pd
        except ImportError as missing:
            self.skipTest(str(missing))
        utc = pd.Timestamp(NS, tz="UTC")
        for value in (pd.Timestamp(NS), utc, utc.tz_convert("Asia/Tokyo")):
            self.assertEqual(instant_ns("t", value), NS)
            self.assertEqual(int(instants_ns("t", value)), NS)
            self.assertEqual(instants_ns("t", pd.Series([value])).tolist(), [NS])
            self.assertEqual(instants_ns("t", pd.DatetimeIndex([value])).tolist(), [NS])
        self.assertEqual(instant_ns("t", pd.NaT), NOT_A_TIME)
        self.assertEqual(instants_ns("t", pd.Series([pd.NaT])).tolist(), [NOT_A_TIME])

    def test_pandas_beyond_int64(self):
        """Columns with a time zone are checked at their own unit: nothing wraps round."""
        try:
            import pandas as pd
        except ImportError as missing:
            self.skipTest(str(missing))
        whole = np.array([2 ** 64 - 1, 5], np.uint64)
        far = [pd.array(whole, "UInt64"), pd.Series(whole, dtype="UInt64"),
               pd.array([2 ** 63, None], "UInt64")]
        if hasattr(pd.Timestamp, "as_unit"):  # pandas 2: units other than nanoseconds
            for when in ("9999-12-31", "2608-07-21T23:34:33", "1600-01-01"):
                naive = pd.Series(np.array([when, "NaT"], "M8[s]"))
                for zone in ("UTC", "Asia/Tokyo"):
                    there = naive.dt.tz_localize("UTC").dt.tz_convert(zone)
                    far += [there, pd.DatetimeIndex(there), there.array]
                far += [naive, naive[:1].dt.tz_localize("UTC")[0], naive[0]]
        for values in far:
            with self.assertRaisesRegex(OverflowError, "years 1678 to 2262",
                                        msg=str(getattr(values, "dtype", values))):
                instants_ns("t", values)

    def test_pandas_missing(self):
        try:
            import pandas as pd
        except ImportError as missing:
            self.skipTest(str(missing))
        exact = NS + 1  # not a float64
        tokyo = pd.Series([pd.Timestamp(exact), pd.NaT]).dt.tz_localize("UTC") \
            .dt.tz_convert("Asia/Tokyo")
        for values in (tokyo, pd.DatetimeIndex(tokyo), tokyo.array,
                       pd.array([exact, None], "UInt64"), pd.array([exact, None], "Int64"),
                       pd.Series([exact, None], dtype="Int64", index=[7, 7])):
            self.assertEqual(instants_ns("t", values).tolist(), [exact, NOT_A_TIME], repr(values))

    def test_arrow(self):
        try:
            import pandas as pd
            import pyarrow as pa
        except ImportError as missing:
            self.skipTest(str(missing))
        for kind in ("timestamp[us, tz=UTC]", "timestamp[us]", "timestamp[us, tz=Asia/Tokyo]"):
            zone = kind.partition("tz=")[2].strip("]") or None
            array = pa.array([HERE, None], pa.timestamp("us", zone))
            for values in (pd.array(array, pd.ArrowDtype(array.type)),
                           pd.Series(array, dtype=pd.ArrowDtype(array.type))):
                self.assertEqual(instants_ns("t", values).tolist(), [NS, NOT_A_TIME], kind)
                self.assertEqual(instants_ns("t", values[:1]).tolist(), [NS], kind)
            array = pa.array([datetime(9999, 12, 31, tzinfo=timezone.utc), None], array.type)
            with self.assertRaises(OverflowError, msg=kind):
                instants_ns("t", pd.Series(array, dtype=pd.ArrowDtype(array.type)))
        for kind, type_ in (("int64", pa.int64()), ("uint64", pa.uint64())):
            values = pd.Series(pa.array([NS + 1, None], type_), dtype=pd.ArrowDtype(type_))
            self.assertEqual(instants_ns("t", values).tolist(), [NS + 1, NOT_A_TIME], kind)
        values = pd.Series(pa.array([2 ** 64 - 1], pa.uint64()), dtype=pd.ArrowDtype(pa.uint64()))
        with self.assertRaises(OverflowError):
            instants_ns("t", values)

    def test_finer_than_nanoseconds(self):
        for unit, step in (("ps", 10 ** 3), ("fs", 10 ** 6), ("as", 10 ** 9)):
            self.assertEqual(instant_ns("t", np.datetime64(5 * step, unit)), 5)
            for cut in (5 * step + 1, -1):
                with self.assertRaisesRegex(ValueError, "t is more precise than nanoseconds"):
                    instant_ns("t", np.datetime64(cut, unit))
                with self.assertRaisesRegex(ValueError, r"datetime64\[" + unit):
                    instants_ns("t", np.array([cut], f"M8[{unit}]"))

    def test_before_the_epoch(self):
        early = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
        self.assertEqual(instant_ns("t", early), -1000)

    def test_a_datetime_without_a_zone_is_refused(self):
        for call in (lambda: instant_ns("t", datetime(2024, 1, 1)),
                     lambda: instants_ns("t", [datetime(2024, 1, 1)]),
                     lambda: instants_ns("t", datetime(2024, 1, 1))):
            with self.assertRaisesRegex(ValueError, "time zone"):
                call()

    def test_out_of_range(self):
        for value in (1 << 63, -(1 << 63) - 1, np.uint64(1 << 63),
                      datetime(2300, 1, 1, tzinfo=timezone.utc), np.datetime64("2300-01-01", "s"),
                      np.datetime64("1600-01-01", "D")):
            with self.assertRaises(OverflowError, msg=repr(value)):
                instant_ns("t", value)
        for values in (np.array([1 << 63], np.uint64), np.array(["2300-01-01"], "M8[s]")):
            with self.assertRaises(OverflowError, msg=repr(values)):
                instants_ns("t", values)

    def test_what_is_no_time(self):
        for value in (1.5, "2024-01-01", None, True, 1j, np.float64(1), np.timedelta64(1, "s"),
                      timedelta(1), [1]):
            with self.assertRaises(TypeError, msg=repr(value)):
                instant_ns("t", value)
        for values in ([1.5], ["2024"], [None], [True], np.array([1], "m8[s]")):
            with self.assertRaises(TypeError, msg=repr(values)):
                instants_ns("t", values)


if __name__ == "__main__":
    runner.main()
