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
