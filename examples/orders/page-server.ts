import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The broker that dashboard.html names, so that it also works opened by itself. */
const brokerInFile = "127.0.0.1:5680";

/** Serves the dashboard. Any web server would do; the page talks to the broker by itself. */
export class PageServer {
  /** Resolves when a page says that it is subscribed. */
  readonly watched: Promise<void>;
  readonly #server = createServer();
  #port = 0;

  constructor() {
    this.watched = new Promise((resolve) => {
      this.#server.on("request", (request) => {
        if (request.method === "POST" && request.url === "/watching") resolve();
      });
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(brokerAddress: string): Promise<void> {
    const page = readFileSync(new URL("./dashboard.html", import.meta.url), "utf8").replaceAll(
      brokerInFile,
      brokerAddress,
    );
    const headers = {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      // What the page may load and reach: itself, the SDK from the broker, and the broker.
      "content-security-policy": [
        "default-src 'none'",
        `script-src 'unsafe-inline' http://${brokerAddress}`,
        `connect-src 'self' ws://${brokerAddress}`,
        "style-src 'unsafe-inline'",
        "img-src data:",
      ].join("; "),
    };
    this.#server.on("request", (request, response) => {
      if (request.method === "GET" && request.url === "/") response.writeHead(200, headers).end(page);
      else if (request.method === "POST" && request.url === "/watching") response.writeHead(204).end();
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
