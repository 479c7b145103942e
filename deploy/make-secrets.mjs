/**
 * `node deploy/make-secrets.mjs HOST:PORT POSTGRES DATABASE REDIS GRAFANA`: random secrets for a stack whose PostgreSQL is at
 * this address, in a folder for each who may read them: the server, those who use it, Redis with those who use it, Grafana.
 * What is there stays, so that it may run at each start.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const [address, postgres, database, redis, grafana] = process.argv.slice(2);
if (grafana === undefined) {
  console.error('Usage: node deploy/make-secrets.mjs HOST:PORT POSTGRES DATABASE REDIS GRAFANA');
  process.exit(2);
}

const aSecret = () => randomBytes(32).toString('base64url');
let made = 0;

await keep(postgres, 'superuser-password', aSecret());
const databasePassword = await keep(postgres, 'tollgate-password', aSecret());
await keep(database, 'url', `postgres://tollgate:${databasePassword}@${address}/tollgate`);
const redisPassword = await keep(redis, 'password', aSecret());
await keep(redis, 'redis.conf', `requirepass ${redisPassword}\n`);
await keep(grafana, 'admin-password', aSecret());
console.log(made === 0 ? 'Every secret is there already.' : `Made ${made} files with secrets.`);

/** The file's content: what it holds already, else `text`. */
async function keep(folder, name, text) {
  const path = join(folder, name);
  const kept = await readFile(path, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (kept !== undefined) return kept;
  // Servers read it under users of their own images. Who may see it at all is decided by who mounts the volume.
  await writeFile(`${path}.new`, text, { mode: 0o444 });
  await rename(`${path}.new`, path);
  made++;
  return text;
}
