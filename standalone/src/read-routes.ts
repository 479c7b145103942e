import { readFileSync } from 'node:fs';
import type { GatewayRoute } from '@tollgate/envoy-config/options';
import { parseRoutesFile } from '@tollgate/envoy-config/routes-file';
import { SettingsError } from '@tollgate/service-kit/settings';

/** The routes of a file. Throws a SettingsError that names every mistake with its line. */
export function readRoutes(path: string): GatewayRoute[] {
  const read = parseRoutesFile(textOf(path), path);
  if (read.kind === 'routes') return read.routes;
  throw new SettingsError(read.problems.map((problem) => `ROUTES_FILE: ${problem}.`));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError([`ROUTES_FILE: ${path} cannot be read (${code ?? 'unknown error'}).`]);
  }
}
