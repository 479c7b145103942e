import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a running gateway is to be found: what `npx tollgate` in the same folder reads. */
export interface GatewayFile {
  pid: number;
  gatewayUrl: string;
  adminUrl: string;
  databaseUrl: string;
  /** Each service's health and metrics over HTTP. */
  services: Record<string, string>;
}

const NAME = 'gateway.json';

/** Written with mode 0600, since the database's URL holds its password. */
export async function writeGatewayFile(dataFolder: string, content: GatewayFile): Promise<void> {
  const file = join(dataFolder, NAME);
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function removeGatewayFile(dataFolder: string): Promise<void> {
  await rm(join(dataFolder, NAME), { force: true });
}

/** What the last gateway in this folder left, or undefined. After a kill -9 it names a process that is gone. */
export async function readGatewayFile(dataFolder: string): Promise<GatewayFile | undefined> {
  try {
    return JSON.parse(await readFile(join(dataFolder, NAME), 'utf8')) as GatewayFile;
  } catch {
    return undefined;
  }
}
