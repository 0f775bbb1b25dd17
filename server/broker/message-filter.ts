import { parseBodyPath } from "../../protocol/body-path.ts";
import { type DeathReason, deathReasons } from "../../protocol/delivery-history.ts";
import { PosthornError } from "../../protocol/errors.ts";
import type { RequestFrame } from "../../protocol/frames.ts";
import { headersFromJson } from "../../protocol/header-json.ts";
import { isDeeperThan } from "../../protocol/json-codec.ts";
import { maxFilterConditions } from "../../protocol/message-management.ts";
import type { BodyCondition, MessageFilter } from "../engine/engine.ts";
import { assertRoutingKey } from "./name-rules.ts";

/** A value in a filter that is nested deeper is no sensible question. */
const maxValueDepth = 16;

/** @throws PosthornError `invalid-argument`, `invalid-frame`, `limit-exceeded` */
export function messageFilterFrom(asked: RequestFrame<"queue.browse">["filter"]): MessageFilter {
  if (asked === undefined) return {};
  const { state, routingKey, headers, headerNames, body = {}, bodyPaths = [], reason, diedIn } = asked;
  if (routingKey !== undefined) assertRoutingKey(routingKey);
  if (reason !== undefined) assertReason(reason);
  const conditions: BodyCondition[] = [
    ...Object.entries(body).map(([path, value]) => ({
      path: parseBodyPath(path),
      value: checkedValue(path, value),
    })),
    ...bodyPaths.map((path) => ({ path: parseBodyPath(path), value: undefined })),
  ];
  assertFew("body", conditions.length);
  assertFew("headers", Object.keys(headers ?? {}).length + (headerNames?.length ?? 0));
  return {
    state,
    routingKey,
    headers: headers && headersFromJson(headers),
    headerNames,
    body: conditions,
    reason,
    diedIn,
  };
}

function assertReason(reason: DeathReason): void {
  if (deathReasons.includes(reason)) return;
  const allowed = deathReasons.join(", ");
  const message = `No message dies of ${JSON.stringify(reason)}. The reasons are: ${allowed}.`;
  throw new PosthornError("invalid-argument", message, { field: "filter.reason", allowed });
}

function assertFew(field: string, count: number): void {
  if (count <= maxFilterConditions) return;
  const message = `A filter has at most ${maxFilterConditions} conditions for ${field}.`;
  throw new PosthornError("limit-exceeded", message, {
    field: `filter.${field}`,
    maximum: maxFilterConditions,
  });
}

function checkedValue(path: string, value: unknown): unknown {
  if (!isDeeperThan(value, maxValueDepth)) return value;
  const message = `The value for ${JSON.stringify(path.slice(0, 80))} is nested deeper than ${maxValueDepth} levels.`;
  throw new PosthornError("invalid-argument", message, { field: "filter.body" });
}
