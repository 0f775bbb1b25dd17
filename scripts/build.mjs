// Builds dist/: the TypeScript of protocol, client and server, and the SDK as one file for plain HTML pages.
import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
const types = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], {
  stdio: "inherit",
});
if (types.status !== 0) process.exit(types.status ?? 1);

// The compiler rewrites import paths in JavaScript, but leaves `.ts` in declarations, which older compilers refuse.
for (const file of readdirSync(join(root, "dist"), { recursive: true })) {
  if (!file.endsWith(".d.ts")) continue;
  const path = join(root, "dist", file);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replaceAll(/((?:from|import)\s*\(?")(\.[^"]*)\.ts"/g, '$1$2.js"'));
}

await build({
  entryPoints: [join(root, "client", "index.ts")],
  outfile: join(root, "dist", "client.js"),
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  sourcemap: "linked",
  // Only reached in Node, where no global WebSocket exists.
  external: ["ws"],
  logLevel: "warning",
});
chmodSync(join(root, "dist", "server", "main.js"), 0o755);
