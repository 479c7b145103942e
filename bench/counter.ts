/** A counter without labels of its own, as a service's metrics page tells it. */
export function counterIn(metrics: string, name: string): number {
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)$`, 'm').exec(metrics)?.[1]);
}
