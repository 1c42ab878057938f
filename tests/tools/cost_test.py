"""docs/cost.md is current; its arithmetic, on examples computed by hand; and the simulation of two Regions."""

import datetime
import math
import pathlib
import sys
import unittest
from collections import Counter
from dataclasses import replace

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import cost  # noqa: E402
import regions  # noqa: E402


class Page(unittest.TestCase):
    def test_the_page_is_current(self):
        page = cost.PAGE.read_text()
        self.assertTrue(cost.written(page) == page, "docs/cost.md is outdated: run make cost")

    def test_a_page_without_one_of_its_tables_is_not_written(self):
        with self.assertRaisesRegex(ValueError, "lacks <!-- make cost: summary -->"):
            cost.written("# Cost\n")

    def test_what_the_page_says_of_the_largest_lines_holds(self):
        largest = {rate: [name for name, _ in Counter(cost.bill(rate)).most_common(2)] for rate in cost.RATES}
        self.assertEqual(largest[1], ["X-Ray", "API Gateway"])
        self.assertEqual(largest[100], ["API Gateway", "CloudWatch Logs"])
        self.assertEqual(largest[10_000], ["API Gateway", "CloudWatch Logs"])

    def test_every_fact_has_a_source(self):
        self.assertIsInstance(cost.FACTS["looked-up"], datetime.date)
        for each in cost.PRICES.values():
            self.assertTrue(each["page"].startswith("https://") and each["source"].startswith("https://"), each)
            self.assertTrue(each["seen"], each)
            self.assertEqual(each["tiers"][-1][0], math.inf)
        for each in (*cost.QUOTAS.values(), *cost.FACTS["assumptions"].values()):
            self.assertTrue(each["source"], each)


class Arithmetic(unittest.TestCase):
    def assert_dollars(self, actual: float, expected: float):
        self.assertAlmostEqual(actual, expected, delta=0.005)

    def test_each_tier_has_its_own_price(self):
        # 333 * 3.50 + 667 * 2.80
        self.assert_dollars(cost.price("rest", 1000), 3033.10)
        # 300 * 1.00 + 700 * 0.90
        self.assert_dollars(cost.price("http", 1000), 930)
        # The announcement's example: 60 TB of a function's logs cost $12,500 rather than $30,000, in TB of 1,000 GB.
        self.assert_dollars(cost.price("lambda-logs", 60 * 1024), 12_800)
        self.assert_dollars(cost.price("rest", 0), 0)

    def test_one_request_per_second(self):
        # 730 hours are 2.628 million requests.
        bill = cost.bill(1)
        self.assert_dollars(bill["API Gateway"], 9.20)  # 2.628 * 3.50
        self.assert_dollars(bill["X-Ray"], 13.14)  # Each is the first of its second: 2.628 * 5
        # 7 ms of 128 MB, and 1 % of 30 ms: 2.628e6 * 0.0073 / 8 = 2,398 GB-seconds for $0.032, and 2.628 * 0.20
        self.assert_dollars(bill["Lambda"], 0.56)
        # 2.60172 million reads * 0.125, and 0.02628 million writes * 0.625
        self.assert_dollars(bill["DynamoDB: reads and writes"], 0.34)
        # Lines of 951, 495 and 379 bytes, 26 more for each of four: 4.73 GB * 0.50, and a year of it, compressed:
        # 4.73 * 12 * 0.15 * 0.03
        self.assert_dollars(bill["CloudWatch Logs"], 2.62)

    def test_a_hundred_requests_per_second_are_sampled(self):
        # 1 + 5 % of 99 = 5.95 traces per second: 15.64 million
        self.assert_dollars(cost.bill(100)["X-Ray"], 78.18)

    def test_eventually_consistent_reads_cost_half(self):
        strong, eventual = (cost.table_bill(100, replace(cost.DEPLOYED, strong=strong)) for strong in (True, False))
        self.assert_dollars(strong - eventual, 16.26)  # 260.172 million * 0.125 / 2

    def test_units_are_rounded_up(self):
        for size, writes, reads in (
            (1, 1, 1),
            (1024, 1, 1),
            (1025, 2, 1),
            (4096, 4, 1),
            (4097, 5, 2),
            (409600, 400, 100),
        ):
            setup = replace(cost.DEPLOYED, item_bytes=size)
            self.assertEqual((cost.units_of_a_write(setup), cost.units_of_a_read(setup)), (writes, reads))

    def test_provisioned_capacity_is_whole_units_at_70_percent(self):
        # 99 / 0.7 = 142 read units and 1 / 0.7 = 2 write units, for 730 hours: 142 * 0.0949 + 2 * 0.4745
        self.assert_dollars(cost.table_bill(100, replace(cost.DEPLOYED, on_demand=False)), 14.42)

    def test_an_idle_stage(self):
        # A key, ten metrics of eight alarms, and a rule.
        self.assert_dollars(sum(cost.idle().values()), 1 + 0.1 * cost.alarm_metrics() + 0.5)


class TwoRegions(unittest.TestCase):
    def test_a_second_region_does_not_see_a_create_within_the_lag(self):
        self.assertEqual(regions.eventual([(0, 0), (0.9, 1)], lag=1), (2, 1))
        self.assertEqual(regions.eventual([(0, 0), (1, 1)], lag=1), (1, 0))
        self.assertEqual(regions.eventual([(0, 0), (0.1, 0)], lag=1), (1, 0))

    def test_at_most_one_product_for_each_region_is_acknowledged(self):
        self.assertEqual(regions.eventual([(n / 100, n % 2) for n in range(100)], lag=1), (2, 1))

    def test_strong_consistency_loses_nothing(self):
        self.assertEqual(regions.strong([(0, 0), (0, 1), (0.1, 1)]), (1, 0))
        self.assertEqual(regions.lost_share(creators=5, lag=1, window=1, runs=200, seed=1)[1], 0)

    def test_the_formula_on_examples(self):
        self.assertEqual(regions.expected_share(1, lag=1, window=1), 0)
        # Two callers at once are in different Regions half of the time: 0.5 lost of 1.5 acknowledged.
        self.assertAlmostEqual(regions.expected_share(2, lag=1, window=0), 1 / 3)
        # Two callers within twice the lag: p = 1 - 0.75 ** 2 - 0.25 ** 2 = 0.375
        self.assertAlmostEqual(regions.expected_share(2, lag=1, window=2), 0.375 / 1.375)

    def test_the_simulation_follows_the_formula(self):
        runs = 4000
        for creators, window in ((2, 0), (2, 3), (5, 1), (5, 10), (20, 60)):
            share, _ = regions.lost_share(creators, lag=1, window=window, runs=runs, seed=2)
            expected = regions.expected_share(creators, lag=1, window=window)
            p = expected / (1 - expected)
            # Four standard deviations of p, which change the share by at most as much.
            self.assertAlmostEqual(share, expected, delta=4 * math.sqrt(p * (1 - p) / runs) + 1e-9)

    def test_the_same_seed_yields_the_same(self):
        first, second = (regions.lost_share(3, lag=1, window=5, runs=100, seed=7) for _ in range(2))
        self.assertEqual(first, second)


if __name__ == "__main__":
    unittest.main()
