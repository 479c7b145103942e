import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What changes or tells more than a probe may know: a POST of JSON by someone who has the token. */
export interface AdminActions {
  /** What the caller sends as `Authorization: Bearer …`. No page of a browser knows it, nor does another user of the machine. */
  token: string;
  byPath: ReadonlyMap<string, (body: unknown) => Promise<ActionAnswer>>;
}

export interface ActionAnswer {
  status: number;
  body: unknown;
}

const MAX_BODY_BYTES = 64 * 1024;

/** Judges the request, reads its body, and has the action answer. Rejects where the action does. */
export async function answerAction(
  token: string,
  run: (body: unknown) => Promise<ActionAnswer>,
  request: IncomingMessage,
): Promise<ActionAnswer> {
  if (request.method !== 'POST') return refusal(405, 'method_not_allowed', 'Only POST is answered here.');
  if (!isSame(request.headers.authorization ?? '', `Bearer ${token}`))
    return refusal(401, 'unauthorized', 'Send Authorization: Bearer with the ADMIN_TOKEN of this service.');
  if (request.headers['content-type'] !== 'application/json')
    return refusal(415, 'unsupported_media_type', 'The body must be application/json.');
  const text = await readBody(request);
  if (text === undefined) return refusal(413, 'payload_too_large', `The body must have at most ${MAX_BODY_BYTES} bytes.`);
  const body = parsed(text);
  return body === undefined ? refusal(400, 'bad_request', 'The body is no JSON.') : run(body.value);
}

function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function refusal(status: number, code: string, message: string): ActionAnswer {
  return { status, body: { error: { code, message }, timestamp: new Date().toISOString(), request_id: null } };
}

/** In a time that tells nothing of where they differ. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** Undefined where it is too long; it is read to its end all the same, or nobody would hear the answer. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk as Buffer);
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}
