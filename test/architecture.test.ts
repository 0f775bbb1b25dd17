import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type SourceFile, sourceFile, sourceFiles } from "./support/source-file.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Files of one layer, by the beginnings of their paths, and what they may import. The first that fits holds. */
interface Layer {
  readonly files: readonly string[];
  readonly mayImport: readonly string[];
  /** Only as types: a seam is not a way to reach what is behind it. */
  readonly mayImportTypesOf?: readonly string[];
  /** Runs anywhere: knows no Node, no clock, no chance and no logger, unless handed in. */
  readonly pure?: boolean;
}

/** docs/design/0001-architecture.md, as a table. */
const layers: readonly Layer[] = [
  { files: ["protocol/"], mayImport: ["protocol/"], pure: true },
  // What a client takes from where it runs: a clock, chance, sockets.
  { files: ["client/runtime.ts", "client/websocket.ts"], mayImport: ["client/", "protocol/"] },
  { files: ["client/"], mayImport: ["client/", "protocol/"], pure: true },
  { files: ["server/routing/"], mayImport: ["server/routing/", "protocol/"], pure: true },
  { files: ["server/engine/"], mayImport: ["server/engine/", "protocol/"], pure: true },
  {
    files: ["server/embedded/store/lmdb-store.ts", "server/embedded/store/lmdb/"],
    mayImport: ["server/embedded/store/store.ts", "server/embedded/store/lmdb/"],
  },
  { files: ["server/embedded/store/"], mayImport: ["server/embedded/store/store.ts"], pure: true },
  {
    files: ["server/embedded/"],
    mayImport: ["server/embedded/", "server/routing/", "protocol/"],
    mayImportTypesOf: ["server/engine/"],
    pure: true,
  },
  {
    files: ["server/broker/"],
    mayImport: ["server/broker/", "protocol/"],
    mayImportTypesOf: ["server/engine/"],
  },
  {
    files: ["server/session/"],
    mayImport: ["server/session/", "server/broker/", "protocol/"],
    mayImportTypesOf: ["server/engine/"],
  },
  {
    files: ["server/http/"],
    mayImport: ["server/http/", "server/broker/", "protocol/"],
    mayImportTypesOf: ["server/engine/"],
  },
  {
    files: ["server/config.ts", "server/config/"],
    mayImport: ["server/config/", "server/broker/password-hash.ts"],
    mayImportTypesOf: ["server/broker/users.ts"],
  },
  {
    files: ["server/cli/"],
    mayImport: ["server/cli/", "server/config.ts", "server/config/", "server/broker/password-hash.ts"],
    // What check and backup report; main.ts hands them in.
    mayImportTypesOf: ["server/embedded/store/"],
  },
  { files: ["server/log.ts"], mayImport: [], mayImportTypesOf: ["server/config.ts"] },
  {
    files: [
      "server/version.ts",
      "server/process-memory.ts",
      "server/steady-clock.ts",
      "server/turn-by-turn.ts",
    ],
    mayImport: [],
  },
  // These put the parts together.
  { files: ["server/main.ts", "server/start-broker.ts", "server/index.ts"], mayImport: ["server/"] },
];

/** What comes from elsewhere is known in as few places as can be. */
const packageHomes: { readonly [name: string]: readonly string[] } = {
  ws: ["server/session/websocket-listener.ts"],
  lmdb: ["server/embedded/store/lmdb/environment.ts"],
  ajv: ["server/session/frame-validator.ts", "server/config/"],
  pino: ["server/log.ts"],
  "pino-pretty": ["server/log.ts"],
  // A package that a bundler must not see is imported by a name that is computed.
  "*": ["client/websocket.ts"],
};

const impureNames =
  /(?<![.\w$#])(?:Date\.now|new Date\(\)|performance|Math\.random|crypto|process|Buffer|__dirname|setTimeout|setInterval|setImmediate|WebSocket)\b(?!\s*[?]?:)/g;

function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith("/") ? path.startsWith(place) : path === place));
}

function layerOf(path: string): Layer | undefined {
  return layers.find(({ files }) => isIn(path, files));
}

/** What one file does that its layer may not, in sentences. */
function violations({ path, imports, code }: SourceFile): string[] {
  const layer = layerOf(path);
  if (layer === undefined) return [`${path} belongs to no layer`];
  const found: string[] = [];
  for (const { target, isFile, typeOnly } of imports) {
    if (isFile) {
      const mayImport = typeOnly ? [...layer.mayImport, ...(layer.mayImportTypesOf ?? [])] : layer.mayImport;
      if (!isIn(target, mayImport)) found.push(`${path} imports ${typeOnly ? "types of " : ""}${target}`);
    } else if (target.startsWith("node:")) {
      if (layer.pure || path.startsWith("client/")) found.push(`${path} imports ${target}`);
    } else if (!isIn(path, packageHomes[target] ?? [])) found.push(`${path} imports the package ${target}`);
  }
  if (layer.pure) for (const [name] of code.matchAll(impureNames)) found.push(`${path} uses ${name}`);
  return found;
}

/** Groups of files that import each other, round about. */
function cycles(files: readonly SourceFile[], withTypes: boolean): string[][] {
  const importsOf = new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .filter(({ isFile, typeOnly }) => isFile && (withTypes || !typeOnly))
        .map(({ target }) => target),
    ]),
  );
  const reachable = (from: string): Set<string> => {
    const reached = new Set<string>();
    const pending = [...(importsOf.get(from) ?? [])];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      pending.push(...(importsOf.get(path) ?? []));
    }
    return reached;
  };
  const reachableFrom = new Map([...importsOf.keys()].map((path) => [path, reachable(path)]));
  const groups = new Map<string, string[]>();
  for (const [path, reached] of reachableFrom) {
    if (!reached.has(path)) continue;
    const group = [...reached].filter((other) => reachableFrom.get(other)?.has(path)).sort();
    groups.set(group.join(), group);
  }
  return [...groups.values()];
}

function folder(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

const files = ["protocol", "client", "server"].flatMap((name) => sourceFiles(root, name));

describe("the sources", () => {
  test("import only what their layer may", () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap(violations)).toEqual([]);
  });

  test("import only files that there are", () => {
    const paths = new Set(files.map(({ path }) => path));
    const missing = files.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, isFile }) => isFile && !paths.has(target))
        .map(({ target }) => `${path} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("have no import cycles", () => {
    expect(cycles(files, false)).toEqual([]);
  });

  test("know each other's types in circles only inside a folder", () => {
    const between = cycles(files, true).filter((group) => new Set(group.map(folder)).size > 1);
    expect(between).toEqual([]);
  });

  test("leave no layer without files", () => {
    for (const { files: places } of layers) {
      for (const place of places)
        expect(files.filter(({ path }) => isIn(path, [place])).length, place).toBeGreaterThan(0);
    }
  });
});

describe("the check itself", () => {
  const lines = (...source: string[]) => source.join("\n");

  test("finds every kind of import, and none in comments, strings and templates", () => {
    const { imports } = sourceFile(
      "server/routing/x.ts",
      lines(
        'import a from "./a.ts";',
        "import type { B } from './b.ts';",
        "import {",
        "  c,",
        "  type D,",
        '} from "../c.ts";',
        'import * as e from "e";',
        'import "node:f";',
        'export * from "./g.ts";',
        'export { h as i } from "./h.ts";',
        'export type { J } from "./j.ts";',
        'const k = () => import("./k.ts");',
        "const l = (name: string) => import(name);",
        '// import no from "./no.ts";',
        '/* import no from "./no.ts"; */',
        "const quoted = 'import no from \"./no.ts\";';",
        `const template = \`import no from "./no.ts"; \${[\`\${1}\`].map((x) => { return x; })} import "./no.ts"\`;`,
        'const pattern = /"/.test("import no") || 4 / 2 / 1;',
        'export const from = "./no.ts";',
      ),
    );
    expect(imports.map(({ target, typeOnly }) => `${typeOnly ? "type " : ""}${target}`)).toEqual([
      "server/routing/a.ts",
      "type server/routing/b.ts",
      "server/c.ts",
      "e",
      "server/routing/g.ts",
      "server/routing/h.ts",
      "type server/routing/j.ts",
      "node:f",
      "server/routing/k.ts",
      "*",
    ]);
  });

  test.each([
    ["protocol/x.ts", 'import { a } from "../client/a.ts";', "protocol/x.ts imports client/a.ts"],
    [
      "protocol/x.ts",
      'import type { A } from "../server/a.ts";',
      "protocol/x.ts imports types of server/a.ts",
    ],
    [
      "client/x.ts",
      'import { a } from "../server/engine/engine.ts";',
      "client/x.ts imports server/engine/engine.ts",
    ],
    ["client/runtime.ts", 'import "node:fs";', "client/runtime.ts imports node:fs"],
    ["client/x.ts", 'const ws = await import("ws");', "client/x.ts imports the package ws"],
    ["client/x.ts", "const ws = await import(name);", "client/x.ts imports the package *"],
    ["client/x.ts", "setTimeout(() => {}, 1);", "client/x.ts uses setTimeout"],
    ["server/routing/x.ts", "const now = Date.now();", "server/routing/x.ts uses Date.now"],
    ["server/engine/x.ts", `const t = \`\${performance.now()}\`;`, "server/engine/x.ts uses performance"],
    ["server/embedded/x.ts", 'import pino from "pino";', "server/embedded/x.ts imports the package pino"],
    ["server/embedded/x.ts", 'import "../session/a.ts";', "server/embedded/x.ts imports server/session/a.ts"],
    ["server/embedded/x.ts", "const r = Math.random();", "server/embedded/x.ts uses Math.random"],
    [
      "server/embedded/store/x.ts",
      'import "./lmdb/a.ts";',
      "server/embedded/store/x.ts imports server/embedded/store/lmdb/a.ts",
    ],
    [
      "server/broker/x.ts",
      'import { a } from "../engine/engine.ts";',
      "server/broker/x.ts imports server/engine/engine.ts",
    ],
    [
      "server/broker/x.ts",
      'import "../embedded/queue.ts";',
      "server/broker/x.ts imports server/embedded/queue.ts",
    ],
    [
      "server/session/x.ts",
      'import type { Q } from "../embedded/queue.ts";',
      "server/session/x.ts imports types of server/embedded/queue.ts",
    ],
    ["server/session/x.ts", 'import "../http/a.ts";', "server/session/x.ts imports server/http/a.ts"],
    ["server/session/x.ts", 'import { WebSocket } from "ws";', "server/session/x.ts imports the package ws"],
    [
      "server/config/x.ts",
      'import { Users } from "../broker/users.ts";',
      "server/config/x.ts imports server/broker/users.ts",
    ],
    ["server/new-thing/x.ts", "", "server/new-thing/x.ts belongs to no layer"],
  ])("a violation in %s is found: %s", (path, source, violation) => {
    expect(violations(sourceFile(path, source))).toEqual([violation]);
  });

  test("what is allowed is not found", () => {
    const allowed = sourceFile(
      "server/embedded/x.ts",
      lines(
        'import type { Engine } from "../engine/engine.ts";',
        'import { RouteCache } from "../routing/route-cache.ts";',
        'import { PosthornError } from "../../protocol/errors.ts";',
        "// Date.now is not for us.",
        'throw new Error("use setTimeout");',
      ),
    );
    expect(violations(allowed)).toEqual([]);
  });

  test("cycles are found, those of types only where types count", () => {
    const ring = [
      sourceFile("a/x.ts", 'import "./y.ts"; import "./alone.ts";'),
      sourceFile("a/y.ts", 'import "../b/z.ts";'),
      sourceFile("b/z.ts", 'import type { X } from "../a/x.ts";'),
      sourceFile("a/alone.ts", ""),
    ];
    expect(cycles(ring, false)).toEqual([]);
    expect(cycles(ring, true)).toEqual([["a/x.ts", "a/y.ts", "b/z.ts"]]);
    expect(cycles([sourceFile("a/self.ts", 'import "./self.ts";')], false)).toEqual([["a/self.ts"]]);
  });
});
