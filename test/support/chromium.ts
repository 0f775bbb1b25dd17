import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";

const packageDir = join(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")), "..", "..");
const cacheDir = fileURLToPath(new URL("../../node_modules/.cache/posthorn-chromium", import.meta.url));

/** Path of a Chromium to use instead of the one from npm. */
const ownChromium = process.env.CHROMIUM_PATH;

/** The one from npm is for Linux on x64 only. */
export const hasChromium =
  ownChromium !== undefined || (process.platform === "linux" && process.arch === "x64");

/** Starts a real Chromium that needs nothing from the system: neither libraries nor fonts. Takes about 2 s the first time. */
export async function launchChromium(): Promise<Browser> {
  const args = ["--disable-gpu"];
  if (ownChromium !== undefined) return chromium.launch({ executablePath: ownChromium, args });
  const directory = await unpacked();
  return chromium.launch({
    executablePath: join(directory, "chromium"),
    args,
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(directory, "al2023", "lib"),
      FONTCONFIG_FILE: join(directory, "fonts.conf"),
    },
  });
}

/**
 * Where the package's files lie unpacked. Not left to the package: it unpacks to fixed names in the temporary directory,
 * where a second test file would run what the first has only half written.
 */
async function unpacked(): Promise<string> {
  const { version } = createRequire(import.meta.url)(join(packageDir, "package.json")) as { version: string };
  const directory = join(cacheDir, version);
  if (existsSync(directory)) return directory;

  mkdirSync(cacheDir, { recursive: true });
  const scratch = mkdtempSync(join(cacheDir, "unpacking-"));
  const formerTmpdir = process.env.TMPDIR;
  process.env.TMPDIR = scratch;
  try {
    // Not among the package's exports in the last version that is for Node 20.
    const { inflate } = (await import(
      pathToFileURL(join(packageDir, "build", "esm", "lambdafs.js")).href
    )) as {
      inflate: (archive: string) => Promise<string>;
    };
    for (const archive of ["chromium.br", "al2023.tar.br", "fonts.tar.br"]) {
      await inflate(join(packageDir, "bin", archive));
    }
  } finally {
    if (formerTmpdir === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = formerTmpdir;
  }
  writeFileSync(join(scratch, "fonts.conf"), fontsConfig(directory));
  try {
    renameSync(scratch, directory);
  } catch (error) {
    // Another process was faster.
    rmSync(scratch, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
  return directory;
}

/** Only the fonts of the package, so that pages look the same on every machine. */
function fontsConfig(directory: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(directory, "fonts", "fonts")}</dir>
  <cachedir>${join(directory, "fonts-cache")}</cachedir>
</fontconfig>
`;
}
