const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** "1.5 GiB". */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`;
}

/** "1,234,567". */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
