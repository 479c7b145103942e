import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackgroundProcess, startBackgroundProcess } from '@tollgate/embedded/background-process';
import { findKafkaLibraries } from '@tollgate/testing/kafka-libraries';
import { cacheFolder } from '@tollgate/testing/run-environment';

/** Small and quick to start: it serves one test. */
const JVM = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
/** What the image takes where its environment names no id. */
const CLUSTER_ID = '5L6g3nShT-eMCtK--X86sw';
const FORMAT_DEADLINE_MS = 60_000;

/**
 * Starts Kafka as its image does: the wrapper that Kafka brings along for it makes the settings from the environment and
 * formats the storage, then the broker starts with them.
 */
export async function startKafkaOfCompose(
  environment: Record<string, string>,
  folder: string,
  recordIn: string,
): Promise<BackgroundProcess> {
  const { java, folder: jars } = await findKafkaLibraries({ cacheFolder: cacheFolder(), log: console.info });
  const folders = { default: join(folder, 'default'), mounted: join(folder, 'mounted'), final: join(folder, 'final') };
  for (const each of Object.values(folders)) await mkdir(each, { recursive: true });
  for (const name of ['server.properties', 'log4j2.yaml', 'tools-log4j2.yaml']) await writeFile(join(folders.default, name), '');
  const common = { command: java, logFile: join(folder, 'kafka.log'), hasOwnGroup: true, env: { ...environment, CLUSTER_ID } };
  const classes = [...JVM, '-cp', join(jars, '*')];
  const setup = await startBackgroundProcess({
    ...common,
    args: [
      ...[...classes, 'kafka.docker.KafkaDockerWrapper', 'setup'],
      ...['--default-configs-dir', folders.default, '--mounted-configs-dir', folders.mounted],
      ...['--final-configs-dir', folders.final],
    ],
  });
  const late = setTimeout(() => setup.signal('SIGKILL'), FORMAT_DEADLINE_MS);
  const { code } = await setup.exited;
  clearTimeout(late);
  if (code !== 0) throw new Error(`Kafka does not take its settings:\n${await setup.lastLines()}`);
  return startBackgroundProcess({
    ...common,
    args: [...classes, 'kafka.Kafka', join(folders.final, 'server.properties')],
    record: { folder: recordIn, name: 'kafka', stopSignal: 'SIGKILL' },
  });
}
