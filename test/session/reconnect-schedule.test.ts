import { expect, test } from "vitest";
import { ReconnectSchedule } from "../../server/session/reconnect-schedule.ts";
import { settled, startSessions } from "../support/sessions.ts";

test("clients that are sent away together are asked to come back one after the other", async () => {
  const world = await startSessions();
  const clients = [];
  for (let opened = 0; opened < 50; opened++) clients.push(await world.open());
  const closed = world.sessions.close(1000);
  await settled();
  const waits = clients.map(({ socket }) => socket.of("goaway")[0]?.retryAfterMs);
  // 1000 a second, after about the time of a restart.
  expect(waits).toEqual(clients.map((_, i) => 500 + i));
  for (const { session } of clients) session.disconnected();
  await closed;
});

test("a schedule keeps to its rate over time, and does not save up what was not used", () => {
  let nowMs = 10_000;
  const schedule = new ReconnectSchedule(10, () => nowMs);
  expect([schedule.next(), schedule.next(), schedule.next()]).toEqual([500, 600, 700]);
  nowMs += 250;
  expect(schedule.next()).toBe(550);
  nowMs += 60_000;
  expect([schedule.next(), schedule.next()]).toEqual([500, 600]);
});
