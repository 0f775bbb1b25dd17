import { describe, expect, test } from "vitest";
import { parseFrame, validateFrame } from "../../server/session/frame-validator.ts";
import {
  clientFrameTypes,
  type FrameFields,
  fieldsOf,
  objectsOf,
  sampleFrame,
  withField,
  wrongValues,
} from "../support/frame-samples.ts";
import { settled, startSessions } from "../support/sessions.ts";

/** The fields that are wrong with a frame; none if it fits. */
function problemsOf(frame: FrameFields): string[] {
  try {
    validateFrame(parseFrame(JSON.stringify(frame)));
    return [];
  } catch (error) {
    const { code, details } = error as { code: string; details: { problems: { field: string }[] } };
    expect(code).toBe("invalid-frame");
    return [...new Set(details.problems.map(({ field }) => field))];
  }
}

describe.each(clientFrameTypes)("%s", (type) => {
  test("with every field fits", () => {
    expect(problemsOf(sampleFrame(type))).toEqual([]);
  });

  test("with only the required fields fits", () => {
    let frame = sampleFrame(type);
    for (const { path, isRequired } of fieldsOf(type)) {
      if (!isRequired && !path.includes(".")) frame = withField(frame, path, undefined);
    }
    expect(problemsOf(frame)).toEqual([]);
  });

  test("with a wrong value is refused, and exactly that field is named", () => {
    for (const { path, schema } of fieldsOf(type)) {
      for (const value of wrongValues(schema)) {
        expect(
          problemsOf(withField(sampleFrame(type), path, value)),
          `${path}: ${JSON.stringify(value)}`,
        ).toEqual([path]);
      }
    }
  });

  test("without a required field is refused, and exactly that field is named", () => {
    for (const { path, isRequired } of fieldsOf(type)) {
      if (isRequired) expect(problemsOf(withField(sampleFrame(type), path, undefined))).toEqual([path]);
    }
  });

  test("with a field too many is refused, and that field is named", () => {
    for (const prefix of objectsOf(type)) {
      expect(problemsOf(withField(sampleFrame(type), `${prefix}extra`, 1))).toEqual([`${prefix}extra`]);
    }
  });
});

test("several problems are named at once", () => {
  expect(problemsOf({ type: "queue.bind", id: 1, exchange: 7, extra: 1, arguments: [] }).sort()).toEqual([
    "arguments",
    "exchange",
    "extra",
  ]);
});

test("a frame full of junk is refused with a short answer", () => {
  const junk = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`field-${i}`.repeat(20), 0]));
  for (const frame of [
    { type: "bye", id: 1, ...junk },
    { type: "bye", id: 1, ["x".repeat(5000)]: 1 },
  ]) {
    try {
      validateFrame(parseFrame(JSON.stringify(frame)));
      expect.unreachable();
    } catch (error) {
      const { message, details } = error as { message: string; details: unknown };
      expect(message.length + JSON.stringify(details).length).toBeLessThan(5000);
    }
  }
});

test("an error carries the id of the frame that it is about, if that has a valid one", async () => {
  const world = await startSessions();
  const { session, socket } = await world.open();
  const ids = () => socket.of("error").map(({ id, code }) => [id, code]);
  session.receive('{"id":5}');
  session.receive('{"type":7,"id":6}');
  session.receive('{"type":"queue.levitate","id":7}');
  session.receive('{"type":"queue.bind","id":8}');
  session.receive('{"type":"queue.bind","id":0,"exchange":"e"}');
  session.receive('{"type":"queue.bind","id":"9","exchange":"e"}');
  session.receive("[]");
  await settled();
  expect(ids()).toEqual([
    [5, "invalid-frame"],
    [6, "invalid-frame"],
    [7, "unknown-frame-type"],
    [8, "invalid-frame"],
    [undefined, "invalid-frame"],
    [undefined, "invalid-frame"],
    [undefined, "invalid-frame"],
  ]);
});

test("a hello that is not valid is told what is wrong with it, and that it has to be right", async () => {
  const world = await startSessions();
  const { socket } = await world.open({ heartbeatMs: "soon" });
  expect(socket.of("error")).toMatchObject([
    { id: 1, code: "invalid-frame", details: { problems: [{ field: "heartbeatMs" }] } },
    { code: "hello-required" },
  ]);
  expect(socket.closed?.code).toBe(4502);
});
