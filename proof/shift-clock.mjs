/**
 * Loaded before a service, sets its clock wrong: the first instance of each is five minutes behind, the second five ahead. The
 * clock that measures durations goes on as it is, as it does when an administrator sets the time.
 */
const SHIFT_MS = 300_000;
const listen = process.env.RATELIMIT_LISTEN ?? process.env.AUTHZ_LISTEN ?? '';
const [, instance] = /-(\d+)\.sock$/.exec(listen) ?? [];

if (instance !== undefined) {
  const shiftMs = instance === '0' ? -SHIFT_MS : SHIFT_MS;
  const { now } = Date;
  Date.now = () => now() + shiftMs;
  globalThis.Date = class extends Date {
    constructor(...parts) {
      super(...(parts.length === 0 ? [Date.now()] : parts));
    }
  };
}
