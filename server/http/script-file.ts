import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { reply, replyError } from "./reply.ts";

interface Loaded {
  readonly content: Buffer;
  readonly etag: string;
}

/** One file that is served as it is. It is read once, when first asked for: a new build comes with a new process. */
export class ScriptFile {
  readonly #path: string;
  readonly #headers: OutgoingHttpHeaders;
  #loaded: Promise<Loaded> | undefined;

  constructor(path: string, headers: OutgoingHttpHeaders) {
    this.#path = path;
    this.#headers = headers;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let file: Loaded;
    try {
      this.#loaded ??= this.#load();
      file = await this.#loaded;
    } catch {
      this.#loaded = undefined;
      replyError(request, response, 404, "not-found", "This broker was started without a built client.");
      return;
    }
    // Kept by browsers, but asked about each time: the broker and its client change together.
    const headers = { ...this.#headers, etag: file.etag, "cache-control": "public, no-cache" };
    if (matches(request.headers["if-none-match"], file.etag)) reply(request, response, 304, headers, "");
    else reply(request, response, 200, headers, file.content);
  }

  async #load(): Promise<Loaded> {
    const content = await readFile(this.#path);
    return { content, etag: `"${createHash("sha256").update(content).digest("base64url")}"` };
  }
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  // Proxies that compress mark the tag as weak.
  return ifNoneMatch.split(",").some((tag) => ["*", etag, `W/${etag}`].includes(tag.trim()));
}
