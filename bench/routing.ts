/**
 * Topic routing with many bindings: `npm run build && node --import tsx bench/routing.ts`. Prints Markdown.
 *
 * The first table is about matching alone. The second is what publishing costs the broker, real SDK and all, with 100 and with
 * 100,000 bindings: every message has a routing key that it has not seen, and exactly one binding matches. (What is found is part
 * of the price: a message for ten queues costs ten times the queueing, however many bindings there are besides.)
 */
import { printMatching } from "./topic/matching.ts";
import { printPublishing } from "./topic/publishing.ts";

printMatching();
console.log();
await printPublishing();
