import { escapeMarkup } from "../report/markup.ts";
import type { Flame } from "./cpu-profile.ts";

const width = 1600;
const rowHeight = 17;
const characterWidth = 6.6;
/** Narrower frames are left out: nobody could see them. */
const smallestWidth = 2;

/** A flame graph as SVG: callers below, callees on them, as wide as their time. Hovering names a frame. */
export function renderFlameGraph(root: Flame): string {
  const depth = depthOf(root);
  const height = depth * rowHeight;
  const frames: string[] = [];
  draw(root, 0, 0);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace, monospace" font-size="11">${frames.join("")}</svg>\n`;

  function draw(flame: Flame, x: number, level: number): void {
    const frameWidth = (flame.ms / root.ms) * width;
    if (!(frameWidth >= smallestWidth)) return;
    const y = height - (level + 1) * rowHeight;
    const part = ((flame.ms / root.ms) * 100).toFixed(1);
    const room = Math.floor(frameWidth / characterWidth) - 1;
    const text =
      room < 3
        ? ""
        : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escapeMarkup(flame.name.slice(0, room))}</text>`;
    frames.push(
      `<g><title>${escapeMarkup(`${flame.name}: ${flame.ms.toFixed(0)} ms, ${part} %`)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${frameWidth.toFixed(1)}" height="${rowHeight - 1}" fill="${colorOf(flame.name)}"/>${text}</g>`,
    );
    let left = x;
    for (const child of [...flame.children.values()].sort((a, b) => b.ms - a.ms)) {
      draw(child, left, level + 1);
      left += (child.ms / root.ms) * width;
    }
  }
}

/** The same function has the same warm color everywhere. */
function colorOf(name: string): string {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.charCodeAt(0)) >>> 0;
  return `hsl(${10 + (hash % 45)} 80% ${62 + (hash % 14)}%)`;
}

function depthOf({ children }: Flame): number {
  return 1 + Math.max(0, ...[...children.values()].map(depthOf));
}
