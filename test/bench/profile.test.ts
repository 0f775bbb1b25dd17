import { describe, expect, test } from "vitest";
import { type CpuProfile, flames, selfTimes } from "../../bench/profile/cpu-profile.ts";
import { renderFlameGraph } from "../../bench/profile/flame-graph.ts";

const frame = (functionName: string, url = "", lineNumber = 0) => ({ functionName, url, lineNumber });

/** `read` calls `route`, which is also called by `write`; half of the time nothing happens. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 3, 5] },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("read", "file:///x/session/session.js", 9), children: [4] },
    { id: 4, callFrame: frame("route", "file:///x/routing/router.js", 19) },
    { id: 5, callFrame: frame("write", "file:///x/session/outbox.js", 29), children: [6] },
    { id: 6, callFrame: frame("route", "file:///x/routing/router.js", 19) },
  ],
  samples: [2, 3, 4, 6, 5],
  timeDeltas: [10_000, 1000, 4000, 3000, 2000],
};

describe("a CPU profile", () => {
  test("lists functions by their own time, wherever they were called from, without idle time", () => {
    expect(selfTimes(profile)).toEqual([
      { name: "route routing/router.js:20", ms: 7, part: 0.7 },
      { name: "write session/outbox.js:30", ms: 2, part: 0.2 },
      { name: "read session/session.js:10", ms: 1, part: 0.1 },
    ]);
  });

  test("as a tree has each function under its callers, with the time of what it called", () => {
    const root = flames(profile);
    expect(root.ms).toBe(10);
    const read = root.children.get("read session/session.js:10");
    expect(read?.ms).toBe(5);
    expect(read?.children.get("route routing/router.js:20")?.ms).toBe(4);
  });

  test("as a flame graph has a frame for each call, as wide as its time", () => {
    const svg = renderFlameGraph(flames(profile));
    expect(svg.match(/<rect/g)).toHaveLength(5);
    expect(svg).toContain("read session/session.js:10: 5 ms, 50.0 %");
    expect(svg).toMatch(/all: 10 ms[^<]*<\/title><rect x="0.0" y="34" width="1600.0"/);
  });
});
