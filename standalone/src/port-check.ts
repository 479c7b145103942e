import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Throws, with the next step, where Envoy could not listen. Envoy itself would share a port with another Envoy of the same
 * user, each getting some of the requests, and tell of other troubles in its log only. Port 0 is always free.
 */
export async function checkPort(setting: string, host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    throw new Error(reasonOf(error, setting, port), { cause: error });
  }
  server.close();
  await once(server, 'close');
}

function reasonOf(error: unknown, setting: string, port: number): string {
  const { code } = error as NodeJS.ErrnoException;
  const nextStep = `choose another with ${setting}, such as ${setting}=${port < 1024 ? port + 8_000 : port + 1}`;
  if (code === 'EADDRINUSE') return `Port ${port} is in use by another program. Stop that, or ${nextStep}.`;
  if (code === 'EACCES') return `This user may not listen on port ${port}: ${nextStep}.`;
  return `Nothing can listen on port ${port} (${code ?? 'unknown error'}): ${nextStep}.`;
}
