/** The control of latency: a service that does nothing, asked as the others are. */
import { join } from 'node:path';
import type { Closers } from './run-folder.js';
import { startProgram } from './start-program.js';
import { createUnaryClient, type UnaryClient } from './unary-client.js';

export interface BareService extends Pick<UnaryClient, 'ask'> {
  pid: number;
}

/** In a table. */
export const CONTROL = '*control: a service that does nothing*';

const EMPTY = new Uint8Array();

/** Over a unix socket in the folder; see bare-service.mjs. */
export async function startBareService(folder: string, closers: Closers, root: string): Promise<BareService> {
  const socket = join(folder, 'bare.sock');
  const args = [join(root, 'bench', 'bare-service.mjs'), socket];
  const { pid } = await startProgram(folder, closers, 'bare', process.execPath, args, {}, /listening/);
  const client = createUnaryClient(`unix:${socket}`, '/bench.Bare/Nothing', [EMPTY]);
  closers.push(async () => client.close());
  return { pid, ask: client.ask };
}
