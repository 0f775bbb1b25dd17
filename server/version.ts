import { createRequire } from "node:module";

/** The package's version. Found by its own name, so that it works from the sources as well as installed. */
export const { version } = createRequire(import.meta.url)("posthorn/package.json") as { version: string };
