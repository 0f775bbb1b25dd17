/** What `node --cpu-prof` writes, as far as it is used here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Node ids, one a sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  readonly ms: number;
  /** Of the time that was not idle. */
  readonly part: number;
}

/** A frame of a flame graph: a function with what it called from here. */
export interface Flame {
  readonly name: string;
  /** Its own and its callees'. */
  ms: number;
  readonly children: Map<string, Flame>;
}

const idle = new Set(["(idle)", "(root)"]);

/** Functions by the time spent in themselves, longest first. Idle time is left out. */
export function selfTimes(profile: CpuProfile): SelfTime[] {
  const names = new Map(profile.nodes.map((node) => [node.id, frameName(node)]));
  const times = new Map<string, number>();
  let busyMs = 0;
  for (const [id, ms] of sampledMs(profile)) {
    const name = names.get(id)!;
    if (idle.has(name)) continue;
    busyMs += ms;
    times.set(name, (times.get(name) ?? 0) + ms);
  }
  return [...times].map(([name, ms]) => ({ name, ms, part: ms / busyMs })).sort((a, b) => b.ms - a.ms);
}

/** The calls as a tree, the same function called from the same place taken together. Idle time is left out. */
export function flames(profile: CpuProfile): Flame {
  const root: Flame = { name: "all", ms: 0, children: new Map() };
  const paths = pathsOf(profile);
  for (const [id, ms] of sampledMs(profile)) {
    const path = paths.get(id)!;
    if (idle.has(path.at(-1) ?? "")) continue;
    root.ms += ms;
    let flame = root;
    for (const name of path) {
      let next = flame.children.get(name);
      if (next === undefined) {
        next = { name, ms: 0, children: new Map() };
        flame.children.set(name, next);
      }
      next.ms += ms;
      flame = next;
    }
  }
  return root;
}

function* sampledMs({ samples, timeDeltas }: CpuProfile): Generator<[id: number, ms: number]> {
  for (const [index, id] of samples.entries()) yield [id, (timeDeltas[index] ?? 0) / 1000];
}

/** For each node the names from the outermost call to itself. */
function pathsOf({ nodes }: CpuProfile): Map<number, string[]> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const paths = new Map<number, string[]>();
  const [first] = nodes;
  const pending: [ProfileNode, string[]][] = first === undefined ? [] : [[first, []]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [node, above] = next;
    const name = frameName(node);
    const path = name === "(root)" ? above : [...above, name];
    paths.set(node.id, path.length === 0 ? [name] : path);
    for (const child of node.children ?? []) pending.push([byId.get(child)!, path]);
  }
  return paths;
}

/** `enqueue queue.js:120`: names alone are not unique. */
function frameName({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  const file = url.split("/").slice(-2).join("/");
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`;
}
