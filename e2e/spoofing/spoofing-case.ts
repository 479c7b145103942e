/** Name and value of each header, in order, as often and in the case in which they are sent. */
export type Fields = readonly (readonly [name: string, value: string])[];

/**
 * One attempt. In every text `{own}`, `{other}`, `{admin}` and `{unknown}` stand for keys: of the caller, of another
 * organization, one with the scope `admin`, and one of the right form that was never made.
 */
export interface SpoofingCase {
  title: string;
  request: Request;
  /** What the caller sees: `200`, `401 missing_api_key`, several answers parted by commas, or `refused`: the end of the stream or connection. */
  seen: string;
  /** How many requests reach the upstream; by default one where the caller sees an answer that is no error. */
  reached?: number;
  /** Of the last of them. A header that is null must not be there. */
  upstream?: { path?: string; headers?: Readonly<Record<string, string | RegExp | null>> };
  /** Whose identity the upstream is told; by default that of `{own}`. `nobody` on routes that need no key. */
  as?: KeyName | 'nobody';
  /** The caller wrote its key where what it writes belongs to the upstream: there it arrives, and nowhere else. */
  givesKeyAway?: true;
}

export type KeyName = 'own' | 'other' | 'admin' | 'unknown';

export type Request =
  | ({ over: 'http/1.1' | 'http/2' } & Ordinary)
  /** These very bytes on a connection. */
  | { over: 'bytes'; bytes: string }
  /** These very fields in frames of HTTP/2, whether it allows them or not. */
  | { over: 'frames'; headers: Fields; data?: string; trailers?: Fields; areSplit?: true };

export interface Ordinary {
  method: string;
  path: string;
  headers: Fields;
  body?: string;
  trailers?: Fields;
}

/** A request that is good but for what is said of it. */
type Changes = Partial<Ordinary> & { key?: Fields };

const WITH_KEY: Fields = [['X-API-Key', '{own}']];

/** The same attempt over both protocols, with the caller's key unless `key` says otherwise. */
export function overBoth(title: string, changes: Changes, expected: Omit<SpoofingCase, 'title' | 'request'>): SpoofingCase[] {
  return [overHttp1(title, changes, expected), overHttp2(title, changes, expected)];
}

export function overHttp1(title: string, changes: Changes, expected: Omit<SpoofingCase, 'title' | 'request'>): SpoofingCase {
  return { title: `${title} (HTTP/1.1)`, request: { over: 'http/1.1', ...ordinary(changes) }, ...expected };
}

export function overHttp2(title: string, changes: Changes, expected: Omit<SpoofingCase, 'title' | 'request'>): SpoofingCase {
  return { title: `${title} (HTTP/2)`, request: { over: 'http/2', ...ordinary(changes) }, ...expected };
}

/** What Envoy refuses before it is a request: HTTP/1.1 hears why, HTTP/2 a reset. */
export function refused(title: string, changes: Changes): SpoofingCase[] {
  return [overHttp1(title, changes, { seen: '400 bad_request' }), overHttp2(title, changes, { seen: 'refused' })];
}

export function bytes(title: string, text: string, expected: Omit<SpoofingCase, 'title' | 'request'>): SpoofingCase {
  return { title: `${title} (HTTP/1.1)`, request: { over: 'bytes', bytes: text }, ...expected };
}

export function frames(
  title: string,
  { headers, ...rest }: Omit<Extract<Request, { over: 'frames' }>, 'over'>,
  expected: Omit<SpoofingCase, 'title' | 'request'>,
): SpoofingCase {
  return { title: `${title} (HTTP/2)`, request: { over: 'frames', headers, ...rest }, ...expected };
}

function ordinary({ method = 'GET', path = '/x', headers = [], key = WITH_KEY, ...rest }: Changes): Ordinary {
  return { method, path, headers: [...key, ...headers], ...rest };
}
