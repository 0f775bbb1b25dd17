import type { TopicBinding } from "../drivers/driver.ts";

const regions = 100;
const states = ["new", "paid", "packed", "sent", "returned"];

/** Every device has one binding; they are spread over the queues. */
export function routingBindings(
  bindingCount: number,
  queueCount: number,
  queuePrefix: string,
): TopicBinding[] {
  return Array.from({ length: bindingCount }, (_, device) => ({
    queue: `${queuePrefix}${device % queueCount}`,
    pattern: `region.*.device.${device}.#`,
  }));
}

/** Millions of different keys, each of which matches one of the first `bindingCount` devices' bindings. */
export function routingKey(number: number, bindingCount: number): string {
  // Steps that share no factor with the counts visit everything in an order that no cache likes.
  const device = (number * 7919) % bindingCount;
  const region = (number * 31) % regions;
  return `region.${region}.device.${device}.${states[number % states.length]}.line`;
}
