import { readProjectFile } from '../../test/architecture/project-files.js';

/** Where the script that makes the services' role reads its password. */
export function passwordPath(): string {
  const path = /^\\set password `cat (\S+)`$/m.exec(script())?.[1];
  if (path === undefined) throw new Error('deploy/database/role.sql reads no password from a file.');
  return path;
}

/** The script as psql, which alone knows `\set`, sends it to the server. */
export function roleSql(password: string): string {
  return script()
    .replace(/^\\set .*$/m, '')
    .replaceAll(":'password'", `'${password.replaceAll("'", "''")}'`);
}

function script(): string {
  return readProjectFile('deploy/database/role.sql').text;
}
