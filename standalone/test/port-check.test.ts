import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePort } from '@tollgate/embedded/free-port';
import { checkPort } from '@tollgate/standalone/port-check';
import { expect, test } from 'vitest';

test('a free port is free after it was checked, and 0 always', async () => {
  const port = await freePort();
  await checkPort('A_PORT', '0.0.0.0', port);
  await checkPort('A_PORT', '0.0.0.0', port);
  await checkPort('A_PORT', '127.0.0.1', 0);
});

test.each(['127.0.0.1', '0.0.0.0'])('a port that is taken on %s is named with its setting and the next step', async (host) => {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await expect(checkPort('A_PORT', '0.0.0.0', port)).rejects.toThrow(
    `Port ${port} is in use by another program. Stop that, or choose another with A_PORT, such as A_PORT=${port + 1}.`,
  );
  server.close();
});
