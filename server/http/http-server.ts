import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { homePage, homePageSecurityPolicy } from "./home-page.ts";
import { reply, replyError, replyJson } from "./reply.ts";
import { ScriptFile } from "./script-file.ts";

/** How the broker is. More fields than the status are passed on as they are. */
export interface Health {
  /** Anything but `ok` is answered with status 503. */
  readonly status: "ok" | "stopping" | "failing";
  readonly [detail: string]: unknown;
}

export interface HttpServerOptions {
  /** The SDK as one file for browsers, served as `/client.js`; its source map beside it, with `.map` at the end. */
  readonly clientScriptPath: string;
  /** Called for every `GET /health`. Open to everyone who reaches the port: it must not tell more than they may know. */
  health(): Health;
  /** Told of a request that failed for a reason of the broker's; the client got status 500. */
  onError(error: unknown): void;
}

/** For who opens a connection and does not ask, or does not come to the end. */
const timeouts = { headersTimeout: 10_000, requestTimeout: 15_000, connectionsCheckingInterval: 2000 };

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

function routesOf({ clientScriptPath, health }: HttpServerOptions): ReadonlyMap<string, Handler> {
  const script = new ScriptFile(clientScriptPath, {
    "content-type": "text/javascript; charset=utf-8",
    // The one thing here that pages elsewhere may load: it is public, and says nothing about this broker.
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
  });
  const sourceMap = new ScriptFile(`${clientScriptPath}.map`, {
    "content-type": "application/json; charset=utf-8",
  });
  return new Map<string, Handler>([
    ["/client.js", (request, response) => script.serve(request, response)],
    ["/client.js.map", (request, response) => sourceMap.serve(request, response)],
    [
      "/health",
      (request, response) => {
        const state = health();
        replyJson(request, response, state.status === "ok" ? 200 : 503, state);
      },
    ],
    [
      "/",
      (request, response) => {
        const headers = {
          "content-type": "text/html; charset=utf-8",
          "cache-control": "no-cache",
          "content-security-policy": homePageSecurityPolicy,
        };
        reply(request, response, 200, headers, homePage);
      },
    ],
  ]);
}

/**
 * The broker's HTTP side: the client for browsers, health, and a page that says what this is. Not listening yet, and
 * WebSocket upgrades are for others to handle.
 */
export function createHttpServer(options: HttpServerOptions): Server {
  const routes = routesOf(options);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      // Closed, so that a body that nobody wants is not read to its end.
      const headers = { allow: "GET, HEAD", connection: "close" };
      replyError(
        request,
        response,
        405,
        "method-not-allowed",
        "Only GET and HEAD are allowed here.",
        headers,
      );
      return;
    }
    const [path = ""] = (request.url ?? "").split("?", 1);
    const handler = routes.get(path);
    if (handler) await handler(request, response);
    else replyError(request, response, 404, "not-found", "There is nothing at this path.");
  }

  return createServer(timeouts, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      options.onError(error);
      if (response.headersSent) response.destroy();
      else replyError(request, response, 500, "internal-error", "The broker could not answer.");
    });
  });
}
