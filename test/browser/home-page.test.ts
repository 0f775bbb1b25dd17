import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBrokerProcess } from "../support/broker-process.ts";
import { hasChromium, launchChromium } from "../support/chromium.ts";

describe.skipIf(!hasChromium)("the broker's own page, in Chromium", () => {
  let broker: BrokerProcess;

  beforeAll(async () => {
    broker = await startBrokerProcess(["--memory", "--port", "0"]);
  });

  afterAll(async () => {
    await broker.stop();
  });

  test("what it tells people to paste into the console works there", async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(broker.url.replace("ws", "http"));
      const snippet = (await page.textContent("pre")) as string;
      const heard = page.waitForEvent("console");
      await page.evaluate(`(async () => {${snippet}})()`);
      expect((await heard).text()).toBe("hello.world It works.");
    } finally {
      await browser.close();
    }
  }, 60_000);
});
