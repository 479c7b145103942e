import { rename, rm, writeFile } from 'node:fs/promises';
import { type GatewayFile, gatewayFilePath } from '@tollgate/embedded/gateway-file';

/** Tells `npx tollgate` where this gateway is. Mode 0600, since it holds the database's password and the admin token. */
export async function writeGatewayFile(dataFolder: string, content: GatewayFile): Promise<void> {
  const file = gatewayFilePath(dataFolder);
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function removeGatewayFile(dataFolder: string): Promise<void> {
  await rm(gatewayFilePath(dataFolder), { force: true });
}
