import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders, RequestOptions, Server } from "node:http";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Health } from "../../server/http/http-server.ts";
import { createHttpServer } from "../../server/http/http-server.ts";

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let directory: string;
let server: Server;
let health: () => Health;
let errors: unknown[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "posthorn-http-"));
  health = () => ({ status: "ok", connections: 3 });
  errors = [];
  server = createHttpServer({
    clientScriptPath: join(directory, "client.js"),
    health: () => health(),
    onError: (error) => errors.push(error),
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true });
});

/** Not `fetch`: paths and headers must arrive as they are written here. */
function send(path: string, options: RequestOptions = {}, body = ""): Promise<Reply> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

describe("/client.js", () => {
  const script = "export const horn = '🎺';\n";

  test("is served as a module that pages elsewhere may import", async () => {
    await writeFile(join(directory, "client.js"), script);
    const { status, headers, body } = await send("/client.js?v=1");
    expect({ status, body }).toEqual({ status: 200, body: script });
    expect(headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "content-length": String(Buffer.byteLength(script)),
      "access-control-allow-origin": "*",
      "cross-origin-resource-policy": "cross-origin",
      "cache-control": "public, no-cache",
      "x-content-type-options": "nosniff",
    });
  });

  test("is not sent again to who has it", async () => {
    await writeFile(join(directory, "client.js"), script);
    const etag = (await send("/client.js")).headers.etag!;
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const { status, headers, body } = await send("/client.js", { headers: { "if-none-match": tag } });
      expect({ status, body, etag: headers.etag }).toEqual({ status: 304, body: "", etag });
      expect(headers["access-control-allow-origin"]).toBe("*");
    }
    expect((await send("/client.js", { headers: { "if-none-match": '"other"' } })).status).toBe(200);
  });

  test("has its source map beside it, for the broker's own pages only", async () => {
    await writeFile(join(directory, "client.js.map"), "{}");
    const { status, headers, body } = await send("/client.js.map");
    expect({ status, body }).toEqual({ status: 200, body: "{}" });
    expect(headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
  });

  test("is not found until it is built, and then is", async () => {
    expect((await send("/client.js")).status).toBe(404);
    await writeFile(join(directory, "client.js"), script);
    expect((await send("/client.js")).status).toBe(200);
  });
});

describe("/health", () => {
  test("tells what the broker says, and is never cached", async () => {
    const { status, headers, body } = await send("/health");
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({ status: "ok", connections: 3 });
    expect(headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  });

  test.each(["stopping", "failing"] as const)("is 503 while the broker is %s", async (status) => {
    health = () => ({ status });
    const answer = await send("/health");
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toEqual({ status });
  });

  test("is 500 without details when asking fails, and the broker is told", async () => {
    const failure = new Error("secret path");
    health = () => {
      throw failure;
    };
    const { status, body } = await send("/health");
    expect(status).toBe(500);
    expect(JSON.parse(body).error.code).toBe("internal-error");
    expect(body).not.toContain("secret");
    expect(errors).toEqual([failure]);
  });
});

describe("/", () => {
  test("is a page that says what this is and runs nothing but this broker's client", async () => {
    const { status, headers, body } = await send("/");
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(body).toContain("<h1>Posthorn</h1>");
    expect(body).toContain("/client.js");
    const policy = headers["content-security-policy"];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(body).not.toContain("<script");
  });
});

describe("everything else", () => {
  test.each([
    "/nothing",
    "/client.js/",
    "//client.js",
    "/../package.json",
    "/%2e%2e/package.json",
    "/__proto__",
    "/Health",
  ])("%s is not found", async (path) => {
    const { status, headers, body } = await send(path);
    expect(status).toBe(404);
    expect(headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(JSON.parse(body)).toEqual({
      error: { code: "not-found", message: "There is nothing at this path." },
    });
  });

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])("%s is not allowed anywhere", async (method) => {
    for (const path of ["/", "/health", "/nothing"]) {
      const { status, headers, body } = await send(path, { method }, method === "POST" ? "body" : "");
      expect(status).toBe(405);
      expect(headers.allow).toBe("GET, HEAD");
      expect(JSON.parse(body).error.code).toBe("method-not-allowed");
    }
  });

  test("HEAD gets the headers of GET and no body", async () => {
    for (const path of ["/", "/health", "/nothing"]) {
      const [get, head] = [await send(path), await send(path, { method: "HEAD" })];
      expect(head.body).toBe("");
      expect(head.status).toBe(get.status);
      expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
    }
  });

  test("every reply has the security headers", async () => {
    await writeFile(join(directory, "client.js"), "");
    const replies = [
      await send("/"),
      await send("/health"),
      await send("/client.js"),
      await send("/nothing"),
      await send("/", { method: "POST" }),
    ];
    for (const { headers } of replies) {
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      });
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    }
  });
});

test("slow requests are given up: headers after 10 s, bodies after 15 s", () => {
  expect(server.headersTimeout).toBe(10_000);
  expect(server.requestTimeout).toBe(15_000);
});
