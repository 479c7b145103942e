import { openAccessLogStream } from '../../usage-processor/test/collector/access-log-client.js';
import { aMessage } from '../../usage-processor/test/collector/an-entry.js';
import { type EndedCall, entryOf } from './ended-calls.js';

export const NODE_ID = 'edge-1';
const MESSAGE_ENTRIES = 200;

/**
 * Tells a collector of these calls and resolves when it has answered the stream's end, which it does when all of them are
 * in its event log. A collector that died before is told all of them again when it is back, as a reconciler would: what it
 * had passed on by then comes twice.
 */
export async function deliver(address: string, calls: readonly EndedCall[], isBack: () => Promise<void>): Promise<void> {
  const messages: Buffer[] = [];
  for (let start = 0; start < calls.length; start += MESSAGE_ENTRIES) {
    const entries = calls.slice(start, start + MESSAGE_ENTRIES).map(entryOf);
    messages.push(aMessage(entries, start === 0 ? NODE_ID : undefined));
  }
  for (;;) {
    const stream = openAccessLogStream(address);
    try {
      for (const message of messages) stream.write(message);
      await stream.end();
      return;
    } catch {
      await isBack();
    } finally {
      stream.close();
    }
  }
}
