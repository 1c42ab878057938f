#!/usr/bin/env python3
"""Computes what a stage costs in a month, and writes the tables of docs/cost.md: make cost

Prices, assumptions and quotas are in tools/cost.toml, each with its source. The rest is what serverless.yml deploys.
"""

import dataclasses
import functools
import itertools
import math
import sys
import textwrap
import tomllib
from collections import Counter
from pathlib import Path

import yaml
from regions import expected_share, lost_share

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/cost.md"
RATES = (1, 100, 10_000)
# Of the simulation: any number is as good.
RUNS, SEED = 5_000, 17
GB = 2**30


class WithoutTags(yaml.SafeLoader):
    """Reads a template and ignores the values of CloudFormation's short tags, which do not matter here."""


WithoutTags.add_multi_constructor("!", lambda *_: None)


@functools.cache
def read(name: str) -> dict:
    return yaml.load((ROOT / name).read_text(), WithoutTags)


FACTS = tomllib.loads((ROOT / "tools/cost.toml").read_text())
PRICES, QUOTAS = FACTS["prices"], FACTS["quotas"]
ASSUMED = {name: assumption["value"] for name, assumption in FACTS["assumptions"].items()}
PARAMS = (params := read("serverless.yml")["params"])["default"] | params["PROD"]
HOURS = ASSUMED["hours"]


def price(name: str, units: float) -> float:
    """The monthly price of this many units, each tier at its own price."""
    total = 0
    for size, each in PRICES[name]["tiers"]:
        total += min(units, size) * each
        units -= min(units, size)
    return total


@dataclasses.dataclass(frozen=True)
class Setup:
    """The settings that a deployer can choose. The defaults are PROD's in serverless.yml."""

    api: str = "rest"
    strong: bool = True
    on_demand: bool = True
    traces: bool = True
    function_lines: bool = True
    lambda_lines: bool = True
    access_lines: bool = True
    log_days: int = PARAMS["logRetentionDays"]
    item_bytes: int = ASSUMED["item-bytes"]


DEPLOYED = Setup()


def billed_ms() -> float:
    """The mean billed duration of a call, which Lambda rounds up to whole milliseconds."""
    warm = {each: math.ceil(ASSUMED[f"{each}-ms"] + ASSUMED["dynamodb-ms"]) for each in ("find", "create")}
    creates = ASSUMED["creates"]
    init = ASSUMED["cold-starts"] * ASSUMED["init-ms"]
    return creates * warm["create"] + (1 - creates) * warm["find"] + init


def units_of_a_write(setup: Setup) -> int:
    return math.ceil(setup.item_bytes / 1024)


def units_of_a_read(setup: Setup) -> float:
    return math.ceil(setup.item_bytes / 4096) * (1 if setup.strong else 0.5)


def traces_per_second(rate: float) -> float:
    always = min(rate, ASSUMED["traces-per-second"])
    return always + (rate - always) * ASSUMED["traced-share"]


def custom_metrics() -> int:
    """Per function: latency, cold starts, DynamoDB's latency and retries, requests by outcome. Plus API Gateway's."""
    return functions() * (4 + ASSUMED["outcomes"]) + ASSUMED["api-metrics"]


def functions() -> int:
    """The number of functions behind the API."""
    functions = read("serverless.yml")["functions"].values()
    return sum(any("http" in event for event in each.get("events", ())) for each in functions)


def alarm_metrics() -> int:
    """The number of metrics that the alarms watch, including the throttles of each function; each is billed."""
    resources = read("scripts/osls/observability.yml").values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    watched = sum(sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1 for alarm in alarms)
    return watched + functions()


def idle() -> dict[str, float]:
    """The monthly bill of a stage without requests."""
    return {
        "KMS: the key of the alarms": price("keys", 1),
        f"CloudWatch: alarms on {alarm_metrics()} metrics": price("alarms", alarm_metrics()),
        "CloudWatch: Contributor Insights on throttled keys": price("throttled-keys", 1),
    }


def table_bill(rate: float, setup: Setup) -> float:
    """DynamoDB's reads and writes, in either mode."""
    reads = rate * (1 - ASSUMED["creates"]) * units_of_a_read(setup)
    writes = rate * ASSUMED["creates"] * units_of_a_write(setup)
    if setup.on_demand:
        millions = HOURS * 3600 / 1e6
        return price("read-units", reads * millions) + price("write-units", writes * millions)
    provisioned = [math.ceil(each / ASSUMED["utilization"]) * HOURS for each in (reads, writes)]
    return price("read-capacity", provisioned[0]) + price("write-capacity", provisioned[1])


def stored_gb(rate: float, setup: Setup) -> float:
    """The size of the table, in GB."""
    creates = rate * ASSUMED["creates"] * HOURS * 3600 * ASSUMED["months-of-products"]
    return creates * setup.item_bytes / GB


def bill(rate: float, setup: Setup = DEPLOYED) -> dict[str, float]:
    """The monthly bill at this many requests per second, by line."""
    requests = rate * HOURS * 3600
    line = ASSUMED["bytes-per-line"]
    # Lambda writes two lines about each call.
    function = setup.function_lines * (ASSUMED["function-line-bytes"] + line)
    function += setup.lambda_lines * (ASSUMED["lambda-lines-bytes"] + 2 * line)
    access = setup.access_lines * (ASSUMED["access-line-bytes"] + line)
    logs = {"lambda-logs": requests * function / GB, "access-logs": requests * access / GB}
    stored = sum(logs.values()) * ASSUMED["compression"] * setup.log_days / 365 * 12
    gb_seconds = requests * billed_ms() / 1000 * PARAMS["memory"] / 1024
    items = stored_gb(rate, setup)
    metrics = custom_metrics() if setup.function_lines else ASSUMED["api-metrics"]
    return {
        "API Gateway": price(setup.api, requests / 1e6),
        "CloudWatch Logs": sum(price(kind, gb) for kind, gb in logs.items()) + price("stored-logs", stored),
        "X-Ray": setup.traces * price("traces", traces_per_second(rate) * HOURS * 3600 / 1e6),
        "Lambda": price("lambda-requests", requests / 1e6) + price(f"lambda-{PARAMS['architecture']}", gb_seconds),
        "DynamoDB: reads and writes": table_bill(rate, setup),
        "DynamoDB: storage and backup": price("items", items) + price("point-in-time-recovery", items),
        "Data transfer": price("transfer", requests * (setup.item_bytes + ASSUMED["header-bytes"]) / GB),
        "CloudWatch metrics": price("metrics", metrics),
        "Idle: see below": sum(idle().values()),
    }


def total(rate: float, setup: Setup = DEPLOYED) -> float:
    return sum(bill(rate, setup).values())


# ---- The page ------------------------------------------------------------------------------------


def dollars(value: float) -> str:
    return f"{value:,.{0 if value >= 100 else 2}f}"


def percent(share: float) -> str:
    return f"{100 * share:.{0 if share > 0.1 or not share else 1}f} %"


def rows(head: list[str], *lines: list[str]) -> str:
    """A table, with numbers to the right."""
    first, *others = (f"| {' | '.join(line)} |" for line in (head, *lines))
    return "\n".join([first, f"|---|{'---:|' * (len(head) - 1)}", *others])


def rates(template: str = "{:,} per second") -> list[str]:
    return [template.format(rate) for rate in RATES]


def summary() -> str:
    bills = [Counter(bill(rate)) for rate in RATES]
    ranked = [[f"{name}, {percent(each / line.total())}" for name, each in line.most_common(2)] for line in bills]
    fixed = sum(idle().values())
    millions = [rate * HOURS * 3600 / 1e6 for rate in RATES]
    team = 2 * fixed + total(RATES[0]) + price("keys", 1)
    text = (
        f"A team with DEV, STAGE and PROD, of which PROD has one request per second, pays about ${team:.0f} a month. "
        f"A stage without requests costs ${dollars(fixed)}."
    )
    table = rows(
        ["a stage, as deployed", "no requests", *rates()],
        ["a month, $", *map(dollars, (fixed, *(each.total() for each in bills)))],
        ["a million requests, $", "", *(dollars(each.total() / n) for each, n in zip(bills, millions, strict=True))],
        ["largest line", "", *(each[0] for each in ranked)],
        ["second", "", *(each[1] for each in ranked)],
    )
    return f"{textwrap.fill(text, 119)}\n\n{table}"


def lines() -> str:
    bills = [bill(rate) for rate in RATES]
    return rows(
        ["$ a month", *rates()],
        *([name, *(dollars(each[name]) for each in bills)] for name in bills[0]),
        ["**total**", *(f"**{dollars(total(rate))}**" for rate in RATES)],
    )


def choices() -> str:
    kinds = itertools.product(("rest", "http"), (True, False), (True, False))
    names = {"rest": "REST", "http": "HTTP", True: "strongly", False: "eventually"}
    return rows(
        ["API, reads, capacity: $ a month", *rates()],
        *(
            [
                f"{names[api]}, {names[strong]} consistent, {'on demand' if on_demand else 'provisioned'}"
                + (": **deployed**" if (api, strong, on_demand) == ("rest", True, True) else ""),
                *(dollars(total(rate, Setup(api, strong, on_demand))) for rate in RATES),
            ]
            for api, strong, on_demand in kinds
        ),
    )


SETTINGS = {
    "An HTTP API instead of a REST API ([decision 15](decisions/0015-a-rest-api.md))": {"api": "http"},
    "`TracingEnabled: false` and `tracing.lambda: false`": {"traces": False},
    "`logLevel: WARN`: drops our log line and metrics": {"function_lines": False},
    "Lambda's `SystemLogLevel: WARN`: drops Lambda's two log lines": {"lambda_lines": False},
    "No `AccessLogSetting`": {"access_lines": False},
    "`logRetentionDays: 30`": {"log_days": 30},
    "Eventually consistent reads ([decision 21](decisions/0021-strongly-consistent-reads.md))": {"strong": False},
    "Provisioned capacity, if the load never changes": {"on_demand": False},
    "Products of 400 KB, the maximum, instead of 1 KB, with calls of the same duration": {"item_bytes": 400 * 1024},
}


def settings() -> str:
    def change(rate, changed):
        difference = total(rate, dataclasses.replace(DEPLOYED, **changed)) - total(rate)
        return f"{'+' if difference > 0 else '-'} {dollars(abs(difference))}"

    return rows(
        ["setting: $ a month more or less", *rates()],
        *([name, *(change(rate, changed) for rate in RATES)] for name, changed in SETTINGS.items()),
    )


def idle_lines() -> str:
    fixed = idle()
    return rows(
        ["an idle stage", "$ a month"],
        *([name, dollars(value)] for name, value in fixed.items()),
        ["**total of a stage**", f"**{dollars(sum(fixed.values()))}**"],
        ["The tools account, once: the key of the pipeline", dollars(price("keys", 1))],
        ["A dashboard, if the account has more than three", dollars(price("dashboards", 1))],
    )


def reached() -> dict[str, str]:
    """The load at which each quota is reached, in requests per second if possible."""
    value = {name: quota["value"] for name, quota in QUOTAS.items()}
    finds = 1 - ASSUMED["creates"]
    each = value["requests-per-environment"]
    releases = value["code-storage"] * 1e6 / ASSUMED["zip-kb"]
    return {
        "new-account": f"{value['new-account'] * each:,} requests per second",
        "concurrency": f"{value['concurrency'] * each:,} requests per second",
        "requests-per-environment": f"determines the two above: {RATES[-1]:,} requests per second "
        f"need only {RATES[-1] * billed_ms() / 1000:.0f} environments by duration",
        "scaling": f"{value['scaling'] * each:,} requests per second more in 10 s",
        "api": f"{value['api']:,} requests per second",
        "new-table-reads": f"{value['new-table-reads'] / finds:,.0f} requests per second",
        "table-reads": f"{value['table-reads'] / finds:,.0f} requests per second",
        "key-reads": f"{value['key-reads']:,} finds per second of one product",
        "key-writes": f"{value['key-writes']:,} creates per second of one id",
        "code-storage": f"{releases:,.0f} releases",
    }


def quotas() -> str:
    when = reached()
    own = PARAMS["requestsPerSecond"]
    limits = {
        "requestsPerSecond": (own, "our own limit for a stage", f"{own:,} requests per second"),
        "maxReadUnits": (
            PARAMS["maxReadUnits"],
            "our own limit for the table's read units per second",
            f"{PARAMS['maxReadUnits'] / (1 - ASSUMED['creates']):,.0f} requests per second",
        ),
        "maxWriteUnits": (
            PARAMS["maxWriteUnits"],
            "our own limit for the table's write units per second",
            f"{PARAMS['maxWriteUnits'] / ASSUMED['creates']:,.0f} requests per second",
        ),
    }
    return "\n".join(
        [
            "| quota | value | reached at | can be raised |",
            "|---|---:|---|---|",
            *(
                f"| `{name}`: {what} | {value:,} | {at} | in [serverless.yml](../serverless.yml) |"
                for name, (value, what, at) in limits.items()
            ),
            *(
                f"| [{quota['what']}]({quota['source']}) | {quota['value']:,} | {when[name]} | {quota['raise']} |"
                for name, quota in QUOTAS.items()
            ),
        ]
    )


CREATORS, WINDOWS, LAG = (2, 5, 20), (1, 10, 60), 1


@functools.cache
def simulated(creators: int, window: float) -> tuple[float, float]:
    return lost_share(creators, LAG, window, RUNS, SEED)


def simulation() -> str:
    def cell(creators, window):
        share, _ = simulated(creators, window)
        return f"{100 * share:.1f} % ({100 * expected_share(creators, LAG, window):.1f} %)"

    strong = {simulated(creators, window)[1] for creators in CREATORS for window in WINDOWS}
    return rows(
        ["creators of one id", *(f"within {window} s" for window in WINDOWS)],
        *([f"{creators}, eventually consistent", *(cell(creators, w) for w in WINDOWS)] for creators in CREATORS),
        ["any, strongly consistent or one home Region", *[f"{100 * max(strong):.1f} %"] * len(WINDOWS)],
    )


def second_region() -> str:
    def added(rate):
        writes = rate * ASSUMED["creates"] * units_of_a_write(DEPLOYED) * HOURS * 3600 / 1e6
        items = stored_gb(rate, DEPLOYED)
        return price("write-units", writes) + price("items", items) + price("point-in-time-recovery", items)

    return rows(
        ["a second Region adds, $ a month", *rates()],
        ["replicated writes, their storage and backup", *(dollars(added(rate)) for rate in RATES)],
        ["the stack, idle", *[dollars(sum(idle().values()))] * len(RATES)],
    )


def assumptions() -> str:
    return "\n".join(
        [
            "| assumption | value | source |",
            "|---|---:|---|",
            *(f"| {each['what']} | {each['value']:,} | {each['source']} |" for each in FACTS["assumptions"].values()),
        ]
    )


def prices() -> str:
    def tiers(each):
        costs = [f"{cost:.10f}".rstrip("0").ljust(4, "0") for _, cost in each["tiers"]]
        if len(costs) > 1:
            costs[0] += f" (the first {each['tiers'][0][0]:,.0f})"
        return ", then ".join(costs)

    return "\n".join(
        [
            f"| $, {FACTS['region']} | | AWS's page | found in |",
            "|---|---|---|---|",
            *(
                f"| {each['what']} | {tiers(each)} | [page]({each['page']}) | "
                f"[{'AWS' if each['aws'] else 'secondary'}, {each['seen']}]({each['source']}) |"
                for each in PRICES.values()
            ),
        ]
    )


BLOCKS = {
    "summary": summary,
    "lines": lines,
    "choices": choices,
    "settings": settings,
    "idle": idle_lines,
    "quotas": quotas,
    "simulation": simulation,
    "second Region": second_region,
    "assumptions": assumptions,
    "prices": prices,
}


def written(page: str) -> str:
    """The page with its tables recomputed."""
    for name, block in BLOCKS.items():
        begin, end = f"<!-- make cost: {name} -->\n", "<!-- end -->"
        before, found, rest = page.partition(begin)
        if not found:
            raise ValueError(f"docs/cost.md lacks {begin}")
        page = f"{before}{begin}{block()}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> int:
    PAGE.write_text(written(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
