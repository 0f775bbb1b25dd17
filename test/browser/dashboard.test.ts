import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectedTotals } from "../../examples/orders/expected.ts";
import { ExampleProcess } from "../examples/example-process.ts";
import { hasChromium, launchChromium } from "../support/chromium.ts";

const runTimeoutMs = 90_000;

/** A page, and everything that went wrong in it. */
interface Opened {
  readonly page: Page;
  readonly origin: string;
  readonly complaints: string[];
  /** Hosts from which it loaded something. */
  readonly hosts: Set<string>;
}

/** The numbers on the page, exact, by the id of their element. */
function numbersOn(page: Page): Promise<Record<string, number>> {
  return page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll<HTMLDataElement>("dl data")].map(({ id, value }) => [id, Number(value)]),
    ),
  );
}

interface CountryRow {
  readonly country: string;
  readonly revenueE4: number;
  readonly lines: number;
  readonly barWidth: number;
}

function rowsOn(page: Page): Promise<CountryRow[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("tbody tr")].map((row) => ({
      country: row.querySelector("th")?.textContent ?? "",
      revenueE4: Number(row.querySelector<HTMLDataElement>("data.revenue")?.value),
      lines: Number(row.querySelector<HTMLDataElement>("data.lines")?.value),
      barWidth: row.querySelector(".bar i")?.getBoundingClientRect().width ?? 0,
    })),
  );
}

/** How many of a picture's pixels have each colour, the most frequent first. Decoded by the browser. */
async function coloursOf(browser: Browser, png: Buffer): Promise<[colour: string, pixels: number][]> {
  const page = await browser.newPage();
  try {
    return await page.evaluate(
      async (url) => {
        const picture = await createImageBitmap(await (await fetch(url)).blob());
        const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d")!;
        context.drawImage(picture, 0, 0);
        const { data } = context.getImageData(0, 0, picture.width, picture.height);
        const counts = new Map<string, number>();
        for (let at = 0; at < data.length; at += 4) {
          const colour = `rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`;
          counts.set(colour, (counts.get(colour) ?? 0) + 1);
        }
        return [...counts].sort((a, b) => b[1] - a[1]);
      },
      `data:image/png;base64,${png.toString("base64")}`,
    );
  } finally {
    await page.close();
  }
}

describe.skipIf(!hasChromium)("the dashboard of the orders example, in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  }, runTimeoutMs);
  afterAll(() => browser?.close());

  async function open(example: ExampleProcess): Promise<Opened> {
    const origin = await example.wrote(/dashboard\s+(http\S+)/);
    const page = await browser.newPage({ viewport: { width: 1000, height: 1150 } });
    const complaints: string[] = [];
    const hosts = new Set<string>();
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    await page.goto(origin);
    return { page, origin, complaints, hosts };
  }

  test("shows what the CSV files say, once the replay is over", { timeout: runTimeoutMs }, async () => {
    await using example = new ExampleProcess("--wait-for-browser", "--keep");
    const { page, origin, complaints, hosts } = await open(example);
    const expected = expectedTotals();
    await example.wrote(/Every service counted what the files say/);
    await page.waitForSelector(`#lines[value="${expected.lines}"]`);

    const revenues = Object.entries(expected.revenueE4ByCountry).sort((a, b) => b[1] - a[1]);
    expect(await numbersOn(page)).toEqual({
      revenue: expected.revenueE4,
      lines: expected.lines,
      orders: expected.orders,
      countries: revenues.length,
    });
    expect(await page.textContent("#revenue")).toBe("1,265,793.04");
    expect(await page.textContent("#lines")).toBe("2,155");
    expect(await page.textContent("#day")).toBe("6 May 1998");

    const rows = await rowsOn(page);
    expect(rows.map(({ country, revenueE4 }) => [country, revenueE4])).toEqual(revenues);
    expect(rows.reduce((sum, { lines }) => sum + lines, 0)).toBe(expected.lines);

    // For everybody: what is seen is also said.
    await page.getByRole("table", { name: "Revenue by country" }).waitFor();
    await page.getByRole("rowheader", { name: revenues[0]![0], exact: true }).waitFor();
    expect(await page.getByRole("status").first().textContent()).toMatch(/^Live since \d\d:\d\d:\d\d$/);

    // It needs nothing but its own server and the broker, and has nothing to complain about.
    const broker = await example.wrote(/ws:\/\/(\S+?),/);
    expect([...hosts].sort()).toEqual([new URL(origin).host, broker].sort());
    expect(complaints).toEqual([]);

    expect(await example.stop(), example.output).toBe(0);
    await page.close();
  });

  test("draws bars as long as the revenue, in light and dark and on a phone", {
    timeout: runTimeoutMs,
  }, async () => {
    await using example = new ExampleProcess("--wait-for-browser", "--keep", "--rate", "0");
    const { page } = await open(example);
    await page.waitForSelector(`#lines[value="${expectedTotals().lines}"]`);
    // The bars have stopped growing, the rows moving.
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));

    const rows = await rowsOn(page);
    for (const { barWidth, revenueE4 } of rows) {
      expect(barWidth / rows[0]!.barWidth).toBeCloseTo(revenueE4 / rows[0]!.revenueE4, 2);
    }
    expect(rows[0]!.barWidth).toBeGreaterThan(200);

    for (const [name, colorScheme, width] of [
      ["light", "light", 1000],
      ["dark", "dark", 1000],
      ["phone", "light", 360],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 1150 });
      await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
      const overhang = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overhang, `${name}: nothing sticks out to the side`).toBeLessThanOrEqual(0);

      const png = await page.screenshot({ fullPage: true });
      writeFileSync(join(example.temporaryDir, `dashboard-${name}.png`), png);
      const [ground, bar] = await page.evaluate(() => [
        getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector(".bar i")!).backgroundColor,
      ]);
      const colours = await coloursOf(browser, png);
      const pixels = new Map(colours);
      const bars = (await rowsOn(page)).reduce((sum, { barWidth }) => sum + barWidth, 0);
      // Bars are 14.4 pixels high, less the corners.
      expect(pixels.get(bar!) ?? 0, `${name}: the bars are painted`).toBeGreaterThan(bars * 11);
      expect(pixels.get(ground!) ?? 0, `${name}: so is the ground`).toBeGreaterThan(10_000);
      // Text has edges in many shades.
      expect(colours.length, `${name}: and text`).toBeGreaterThan(100);
    }
    await page.close();
  });

  test("says that it has gaps after the broker was gone, and goes on", {
    timeout: runTimeoutMs,
  }, async () => {
    await using example = new ExampleProcess(
      "--wait-for-browser",
      "--keep",
      "--crash",
      "--crashes",
      "1",
      "--seed",
      "2",
    );
    const { page } = await open(example);
    const before = await example.wrote(/broker killed after/).then(() => numbersOn(page));
    expect(before.lines).toBeGreaterThan(0);
    await page.getByText("Reconnected, 1 gap:").waitFor();
    await example.wrote(/Every service counted what the files say/);
    await page.waitForSelector("#status[data-state=open]");
    const after = await numbersOn(page);
    expect(after.lines).toBeLessThanOrEqual(expectedTotals().lines);
    const rows = await rowsOn(page);
    expect(rows.reduce((sum, { revenueE4 }) => sum + revenueE4, 0)).toBe(after.revenue);
    await page.close();
  });
});
