import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a running gateway is to be found: what `npx tollgate` in the same folder reads. */
export interface GatewayFile {
  pid: number;
  gatewayUrl: string;
  /** Envoy's own admin interface. */
  adminUrl: string;
  databaseUrl: string;
  /** Each service's health and metrics over HTTP. */
  services: Record<string, string>;
  /** Of the services that need one: for what their admin port does not do for everybody. */
  adminToken?: string;
}

export function gatewayFilePath(dataFolder: string): string {
  return join(dataFolder, 'gateway.json');
}

/**
 * What the last gateway in this folder left, or undefined where there is nothing. After a kill -9 it names a process that
 * is gone. Throws on a file that cannot be read or is not one of ours, without showing it: it holds a password.
 */
export async function readGatewayFile(dataFolder: string): Promise<GatewayFile | undefined> {
  const path = gatewayFilePath(dataFolder);
  try {
    const content: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isGatewayFile(content)) return content;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code !== undefined) throw new Error(`${path} cannot be read (${code})`);
  }
  throw new Error(`${path} is not what a gateway writes`);
}

function isGatewayFile(content: unknown): content is GatewayFile {
  const { pid, gatewayUrl, adminUrl, databaseUrl, services, adminToken } = (content ?? {}) as Record<string, unknown>;
  return (
    Number.isInteger(pid) &&
    [gatewayUrl, adminUrl, databaseUrl].every(isText) &&
    typeof services === 'object' &&
    services !== null &&
    Object.values(services).every(isText) &&
    (adminToken === undefined || isText(adminToken))
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
