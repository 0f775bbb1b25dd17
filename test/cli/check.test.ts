import { mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { CheckReport } from "../../server/embedded/store/lmdb/check/check-report.ts";
import { flipInFile, rowsOf, writeSample } from "../embedded/store/sample-store.ts";
import { posthornCommand, startSourceBroker } from "../support/source-broker.ts";
import { cli } from "./cli-session.ts";

describe("the command line", () => {
  const sound: CheckReport = {
    sound: true,
    clean: true,
    tables: { messages: { rows: 1234, bytes: 3 * 1024 * 1024 } },
    queues: [{ id: 1, name: "orders", messages: 5678, bytes: 100, problems: 0 }],
    problems: [],
    problemCount: 0,
  };

  test("prints what there is, and progress on a terminal only", async () => {
    const run = await cli(["check", "/data"], {
      checkStore: async (directory, { repair, onProgress }) => {
        expect({ directory, repair }).toEqual({ directory: "/data", repair: false });
        onProgress?.({ table: "messages", rows: 1, bytes: 1, fileBytes: 2 });
        return { type: "checked", report: sound };
      },
    });
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.stdout).toMatch(/messages +1,234 +3\.0 MiB\n/);
    expect(run.stdout).toMatch(/orders +5,678 +100 bytes +0\n/);
    expect(run.stdout).toContain("The store is sound. The broker was stopped in order.\n");
  });

  test("--json prints one object, problems give exit code 3", async () => {
    const report = { ...sound, sound: false, problemCount: 1 };
    const run = await cli(["check", "--json", "/data"], {
      checkStore: async () => ({ type: "checked", report }),
    });
    expect(run.exitCode).toBe(3);
    expect(JSON.parse(run.stdout)).toEqual(report);
  });

  test.each([
    [["check"], "check takes DATA_DIR"],
    [["check", "a", "b"], "check takes DATA_DIR"],
    [["check", "a", "--repaire"], "check has no flag --repaire; did you mean --repair?"],
    [["backup", "a"], "backup takes DATA_DIR and TARGET_DIR"],
    [["backup", "a", "b", "--force"], "backup has no flag --force"],
  ])("%j is refused with the help and exit code 2", async (argv, why) => {
    const run = await cli(argv);
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toContain(why);
    expect(run.stderr).toContain(`Usage: posthorn ${argv[0]}`);
  });

  test("both commands have their help", async () => {
    expect((await cli(["help", "check"])).stdout).toContain("store.mdb.before-repair");
    expect((await cli(["backup", "--help"])).stdout).toContain("--no-verify");
  });
});

describe("on a data directory", () => {
  let directory: string;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "posthorn-check-"));
    await writeSample(directory);
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  test("a broker that runs, or no store, is an error with exit code 1", async () => {
    const broker = await startSourceBroker(directory);
    const run = await posthornCommand("check", directory);
    await broker.kill();
    expect(run).toMatchObject({ code: 1, out: "" });
    expect(run.err).toContain("is in use by process");
    const elsewhere = await posthornCommand("check", join(directory, "nowhere"), "--json");
    expect(elsewhere.code).toBe(1);
    expect(JSON.parse(elsewhere.out).error).toContain("is not a Posthorn store");
  }, 60_000);

  test("damage is named, repaired, and the broker then delivers everything else in order", async () => {
    const dataDir = join(directory, "data");
    let broker = await startSourceBroker(dataDir);
    let posthorn = await connect(broker.url, { reconnect: false });
    const orders = await posthorn.queue("orders").declare();
    for (let number = 1; number <= 200; number += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => orders.publish(`order ${number + i}`)));
    }
    await posthorn.close();
    await broker.stop();
    const row = (await rowsOf(dataDir, "messages"))[3]!;
    flipInFile(dataDir, row.value, row.value.length - 1);

    const found = await posthornCommand("check", dataDir, "--json");
    expect(found.code).toBe(3);
    const problems = (JSON.parse(found.out) as CheckReport).problems;
    expect(problems).toMatchObject([{ kind: "damaged-row" }, { kind: "missing-messages", queue: "orders" }]);
    const { fromSeq, toSeq } = problems[1]! as { fromSeq: number; toSeq: number };
    const repaired = await posthornCommand("check", dataDir, "--repair");
    expect(repaired.code).toBe(0);
    expect(repaired.out).toContain(
      `queue "orders": ${toSeq - fromSeq + 1} messages are lost, as they could not be read: entries ${fromSeq} to ${toSeq}`,
    );
    expect(await posthornCommand("check", dataDir)).toMatchObject({ code: 0, err: "" });

    broker = await startSourceBroker(dataDir);
    try {
      posthorn = await connect(broker.url, { reconnect: false });
      const kept = Array.from({ length: 200 }, (_, i) => i + 1).filter((seq) => seq < fromSeq || seq > toSeq);
      const delivered: string[] = [];
      for await (const message of posthorn.queue("orders").consume()) {
        delivered.push(message.text());
        message.ack();
        if (delivered.length === kept.length) break;
      }
      // Seqs begin at 1, so each order has the seq of its number.
      expect(delivered).toEqual(kept.map((number) => `order ${number}`));
      expect((await posthorn.queue("orders").check()).messageCount).toBe(0);
      await posthorn.close();
    } finally {
      await broker.kill();
    }
  }, 60_000);

  test("a file that is cut off does not take the command with it, and is repaired as far as it goes", async () => {
    const path = join(directory, "store.mdb");
    const { size } = statSync(path);
    truncateSync(path, Math.floor((size * 0.9) / 4096) * 4096);
    const found = await posthornCommand("check", directory, "--json");
    expect(found).toMatchObject({ code: 3, err: "" });
    expect(JSON.parse(found.out).problems[0].text).toContain("the file is cut off");
    const repaired = await posthornCommand("check", directory, "--repair", "--json");
    expect(repaired).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(repaired.out).repaired.after).toMatchObject({ sound: true });
    expect(await posthornCommand("check", directory)).toMatchObject({ code: 0, err: "" });

    truncateSync(path, 8192);
    const hopeless = await posthornCommand("check", directory, "--repair");
    expect(hopeless).toMatchObject({ code: 1, out: "" });
    expect(hopeless.err).toContain("go back to a backup");
  }, 60_000);
});
