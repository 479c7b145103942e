/** Secrets as they turn up in errors; none of the parts may ever be printed. */
export const CANARY_KEY = `sk_live_${'a1b2c3d4'.repeat(4)}`;
export const CANARY_PASSWORD = 'c4n4ry-pass"w\\ord';
export const CANARY_URL = `postgres://tollgate:${CANARY_PASSWORD}@db.internal:5432/tollgate`;

export function hasCanary(text: string): boolean {
  return /a1b2c3d4|c4n4ry|w\\+ord/i.test(text);
}
