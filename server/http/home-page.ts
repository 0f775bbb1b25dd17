import { createHash } from "node:crypto";

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 6px; font-size: .875rem; }
`;

// What is in <code> is escaped by hand; there is nothing in this page that comes from a request.
export const homePage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Posthorn</title>
<style>${style}</style>
<h1>Posthorn</h1>
<p>This is a message broker. Programs and pages connect to this address over WebSockets, publish messages to exchanges,
and receive them from queues.</p>
<p>Its client for browsers is one file. Open the console of this page and paste:</p>
<pre><code>const { connect } = await import("/client.js");
const posthorn = await connect(location.origin.replace("http", "ws"));
const inbox = await posthorn.queue().declare({ exclusive: true });
await inbox.bind("amq.topic", "hello.#");
await inbox.consume((message) =&gt; console.log(message.routingKey, message.text()));
await posthorn.exchange("amq.topic").publish("hello.world", "It works.");
</code></pre>
<p>In Node, <code>npm install posthorn</code> and <code>import { connect } from "posthorn"</code>.
<a href="/health">/health</a> tells how the broker is.</p>
</html>
`;

/** Nothing but the page's own style; and, for the console, this broker's client and socket. */
export const homePageSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "script-src 'self'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
