import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import { describe, expect, test } from "vitest";
import { orderEvents, routingKeyOf } from "../../examples/orders/events.ts";
import { expectedTotals } from "../../examples/orders/expected.ts";
import { Tally } from "../../examples/orders/tally.ts";
import { ExampleProcess } from "./example-process.ts";

const runTimeoutMs = 90_000;

/** The table at the end, as cells. */
const table = (repeats: RegExp) => [
  ["CSV files", "830", "2,155", "1,265,793.0395", "809", "37"],
  ["billing", "–", "2,155", "1,265,793.0395", "–", "–", expect.stringMatching(repeats), "equal"],
  ["shipping", "830", "–", "–", "809", "–", expect.stringMatching(repeats), "equal"],
  ["alerts", "–", "–", "–", "–", "37", expect.stringMatching(repeats), "equal"],
  ["analytics", "830", "2,155", "1,265,793.0395", "809", "37", expect.stringMatching(repeats), "equal"],
];

function tableIn(output: string): string[][] {
  const lines = output.split("\n");
  const start = lines.findIndex((line) => line.startsWith("CSV files"));
  return lines.slice(start, start + 5).map((line) => line.split(/\s{2,}/));
}

async function expectNothingLeft(example: ExampleProcess): Promise<void> {
  expect(example.dataDirs()).toEqual([]);
  const broker = /ws:(\/\/\S+?),/.exec(example.output)?.[1];
  await expect(fetch(`http:${broker}/health`)).rejects.toThrow();
}

describe("the orders example", () => {
  test("counts in every service what the CSV files say", { timeout: runTimeoutMs }, async () => {
    await using example = new ExampleProcess("--rate", "0");
    expect(await example.ended, example.output).toBe(0);
    expect(tableIn(example.output)).toEqual(table(/^0$/));
    await expectNothingLeft(example);
  });

  test("counts the same when the broker is killed five times on the way", {
    timeout: runTimeoutMs,
  }, async () => {
    await using example = new ExampleProcess("--crash");
    expect(await example.ended, example.output).toBe(0);
    expect(example.output.match(/broker killed after/g)).toHaveLength(5);
    expect(tableIn(example.output)).toEqual(table(/^[\d,]+$/));
    await expectNothingLeft(example);
  });

  test("stops everything and says why when one of its processes dies", {
    timeout: runTimeoutMs,
  }, async () => {
    await using example = new ExampleProcess("--rate", "100");
    const billing = Number(await example.wrote(/billing \(process (\d+)\)/));
    await example.wrote(/confirmed/);
    process.kill(billing, "SIGKILL");
    expect(await example.ended, example.output).toBe(1);
    expect(example.output).toContain("billing ended unexpectedly (SIGKILL)");
    await expectNothingLeft(example);
  });

  test("stops everything when it is interrupted", { timeout: runTimeoutMs }, async () => {
    await using example = new ExampleProcess("--rate", "100");
    await example.wrote(/confirmed/);
    expect(await example.stop("SIGINT"), example.output).toBe(130);
    await expectNothingLeft(example);
  });

  test.each([
    [["--rate", "fast"], '--rate must be a whole number, not "fast"'],
    [["--cash"], "Unknown option '--cash'"],
  ])("refuses the options %j", { timeout: runTimeoutMs }, async (args, why) => {
    await using example = new ExampleProcess(...args);
    expect(await example.ended).toBe(1);
    expect(example.output).toContain(why);
  });
});

describe("the events of the orders", () => {
  const events = orderEvents();

  test("are in the order of their dates, and things happen to an order one after the other", () => {
    const dates = events.map(({ date }) => date);
    expect(dates).toEqual(dates.toSorted());
    expect(dates[0]).toBe("1996-07-04");
    const first = events.filter(({ orderId }) => orderId === 10_248).map(({ id }) => id);
    expect(first).toEqual([
      "10248/placed",
      "10248/line/11",
      "10248/line/42",
      "10248/line/72",
      "10248/shipped",
    ]);
  });

  test("have ids of their own, and are the same whenever they are made", () => {
    expect(new Set(events.map(({ id }) => id)).size).toBe(830 + 2155 + 809 + 37);
    expect(orderEvents()).toEqual(events);
  });

  test("have routing keys of three words, the second of which is the country", () => {
    const keys = new Set(events.map(routingKeyOf));
    for (const key of keys) expect(key).toMatch(/^order\.[a-z-]+\.(placed|line|shipped|late)$/);
    expect(new Set([...keys].map((key) => key.split(".")[1])).size).toBe(21);
    expect(routingKeyOf({ ...events[0]!, country: "Trinidad & St. Tobago", kind: "shipped" })).toBe(
      "order.trinidad-&-st-tobago.shipped",
    );
  });

  test("give the same totals as the files, also when some come twice and in disorder", () => {
    const tally = new Tally();
    for (const event of [...events.toReversed(), ...events.slice(0, 1000)]) tally.count(event);
    expect(tally.totals).toEqual(expectedTotals());
    expect(tally.repeats).toBe(1000);
  });
});

test("the expected totals are those that another reader of the CSV files gets", () => {
  const read = (table: string): string[][] =>
    parse(readFileSync(new URL(`../../examples/orders/data/${table}.csv`, import.meta.url)), {
      relax_column_count: true,
      from_line: 2,
    });
  const orders = read("orders");
  const countryOf = new Map(orders.map((row) => [row[0], row.at(-1) ?? ""]));
  const byCountry = new Map<string, number>();
  for (const [order, , price, quantity, discount] of read("order-details")) {
    const country = countryOf.get(order) ?? "";
    const revenue = Number(price) * Number(quantity) * (1 - Number(discount));
    byCountry.set(country, (byCountry.get(country) ?? 0) + revenue);
  }
  const expected = expectedTotals();
  expect(expected).toMatchObject({
    orders: 830,
    lines: 2155,
    shipped: 809,
    late: 37,
    revenueE4: 12_657_930_395,
  });
  expect(Object.keys(expected.revenueE4ByCountry)).toHaveLength(byCountry.size);
  for (const [country, revenue] of byCountry) {
    expect(expected.revenueE4ByCountry[country]! / 10_000).toBeCloseTo(revenue, 4);
  }
});
