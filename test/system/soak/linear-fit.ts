/** A straight line through points, by least squares. */
export interface LinearFit {
  /** Of the line, where the points begin. */
  readonly start: number;
  /** By how much the line rises until the points end. */
  readonly rise: number;
}

export function linearFit(points: readonly (readonly [x: number, y: number])[]): LinearFit {
  const count = points.length;
  if (count < 2) throw new Error("A line needs two points.");
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  let covariance = 0;
  let variance = 0;
  for (const [x, y] of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  const slope = covariance / variance;
  const [firstX] = points[0]!;
  const [lastX] = points.at(-1)!;
  return { start: meanY + slope * (firstX - meanX), rise: slope * (lastX - firstX) };
}
