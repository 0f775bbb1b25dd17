import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";

/** One import or re-export of a source file. */
export interface ImportedModule {
  /** A path from the root, if it is a file of this project; else what the source says, `*` if it is computed. */
  readonly target: string;
  readonly isFile: boolean;
  /** Gone when the program runs. */
  readonly typeOnly: boolean;
}

/** A source file as the architecture test sees it. */
export interface SourceFile {
  readonly path: string;
  readonly imports: readonly ImportedModule[];
  /** The source without comments, and without what stands in strings. */
  readonly code: string;
}

/** Every TypeScript source below a folder. */
export function sourceFiles(root: string, folder: string): SourceFile[] {
  return readdirSync(posix.join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => posix.join(folder, name.replaceAll("\\", "/")))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .sort()
    .map((path) => sourceFile(path, readFileSync(posix.join(root, path), "utf8")));
}

export function sourceFile(path: string, source: string): SourceFile {
  const { code, strings } = withoutStrings(source);
  const imports: ImportedModule[] = [];
  for (const { typeOnly, string } of importStatements(code)) {
    const said = string === undefined ? "*" : (strings[string] as string);
    const isFile = said.startsWith(".");
    const target = isFile ? posix.join(posix.dirname(path), said) : said;
    imports.push({ target, isFile, typeOnly });
  }
  return { path, imports, code };
}

/** `import … from "0"`, `export … from "0"`, `import "0"`, `import("0")` and `import(something)`. */
const patterns = [
  /\b(?:import|export)\s+(?<type>type\s+)?(?:[\w$*{}\s,]+?)\s*\bfrom\s*"(?<string>\d+)"/g,
  /\bimport\s*"(?<string>\d+)"/g,
  /\bimport\s*\(\s*(?:"(?<string>\d+)")?/g,
];

function* importStatements(code: string): Generator<{ typeOnly: boolean; string: number | undefined }> {
  for (const pattern of patterns) {
    for (const { groups = {} } of code.matchAll(pattern)) {
      const string = groups.string;
      yield {
        typeOnly: groups.type !== undefined,
        string: string === undefined ? undefined : Number(string),
      };
    }
  }
}

/** Blanks comments and puts a string's index in place of its text. Code inside templates stays. */
function withoutStrings(source: string): { code: string; strings: string[] } {
  const strings: string[] = [];
  let code = "";
  /** Of each template that is open, how many braces are open inside its present `${…}`. */
  const templates: number[] = [];
  const token =
    /\/\/.*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`|[{}]|\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
  let at = 0;
  const templateText = () => {
    const end = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;
    end.lastIndex = at;
    at += end.exec(source)![0].length;
    if (source.startsWith("${", at)) {
      templates.push(0);
      code += "${";
      at += 2;
    } else {
      code += "`";
      at++;
    }
  };
  while (at < source.length) {
    token.lastIndex = at;
    const found = token.exec(source)?.[0];
    if (found === undefined || (found.startsWith("/") && !/^\/[/*]/.test(found) && !startsRegExp(code))) {
      code += source[at++];
      continue;
    }
    at += found.length;
    if (found === "`") {
      code += "`";
      templateText();
    } else if (found === "{" || found === "}") {
      code += found;
      if (templates.length === 0) continue;
      if (found === "{") templates[templates.length - 1]!++;
      else if (templates[templates.length - 1]!-- === 0) {
        templates.pop();
        templateText();
      }
    } else if (found.startsWith('"') || found.startsWith("'")) {
      code += `"${strings.length}"`;
      strings.push(found.slice(1, -1));
    } else if (found.startsWith("//") || found.startsWith("/*")) code += " ";
    else code += "/ /";
  }
  return { code, strings };
}

/** Whether a slash after this code begins a regular expression rather than dividing. */
function startsRegExp(code: string): boolean {
  return /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of))\s*$/.test(code.slice(-40));
}
