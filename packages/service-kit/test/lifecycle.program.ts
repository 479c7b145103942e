/** A process for the tests of lifecycle: what it does is told by its first argument. */
import { runService } from '@tollgate/service-kit/lifecycle';
import { SettingsError } from '@tollgate/service-kit/settings';
import { CANARY_KEY, CANARY_URL } from './canaries.js';

const [, , what] = process.argv;
const alive = setInterval(() => {}, 1000);

async function start() {
  if (what === 'bad-settings') throw new SettingsError(['A is required.', 'B must be true or false.']);
  if (what === 'no-database') throw Object.assign(new Error(`cannot reach ${CANARY_URL}`), { exitCode: 69 });
  if (what === 'start-fails') throw new Error(`no luck with ${CANARY_KEY}`);
  if (what === 'rejects-later') setImmediate(() => void Promise.reject(new Error(`nobody waits for ${CANARY_KEY}`)));
  if (what === 'throws-later') {
    setImmediate(() => {
      throw new Error('nobody catches');
    });
  }
  return { address: '127.0.0.1:1', adminAddress: '127.0.0.1:2', close };
}

async function close(): Promise<void> {
  if (what === 'close-fails') throw new Error('cannot flush');
  if (what === 'close-hangs') await new Promise(() => {});
  clearInterval(alive);
}

void runService(process, 'test', start);
