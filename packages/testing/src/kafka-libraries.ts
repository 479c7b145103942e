import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '@tollgate/embedded/find-program';

const KAFKA_VERSION = '4.4.0';
/** Kafka writes its log through slf4j; without a binding it would warn on stderr. */
const LIBRARIES = [
  { group: 'org.apache.kafka', artifact: 'kafka_2.13', version: KAFKA_VERSION },
  { group: 'org.slf4j', artifact: 'slf4j-nop', version: '1.7.36' },
];
const COMMAND_DEADLINE_MS = 5 * 60_000;
const NEXT_STEP =
  'Install Java 17 or later and Maven (Debian: apt-get install default-jre-headless maven, macOS: brew install openjdk maven), or set TEST_KAFKA_BROKERS to a Kafka for tests.';

export type KafkaLibraries = { java: string; folder: string; version: string };
type LibrarySearch = { cacheFolder: string; log: (line: string) => void };

/** Java, and the jars of a Kafka server in the cache; what is missing is fetched by Maven and apt-get, and said. */
export async function findKafkaLibraries({ cacheFolder, log }: LibrarySearch): Promise<KafkaLibraries> {
  const java = await findOrInstall('java', 'default-jre-headless', log);
  const folder = join(cacheFolder, `kafka-${KAFKA_VERSION}`);
  if (await isWhole(folder)) return { java, folder, version: KAFKA_VERSION };
  const maven = await findOrInstall('mvn', 'maven', log);
  log(`kafka: fetching ${KAFKA_VERSION} with ${maven}, into the cache`);
  await fetchWithMaven(maven, folder);
  return { java, folder, version: KAFKA_VERSION };
}

async function findOrInstall(program: string, debianPackage: string, log: (line: string) => void): Promise<string> {
  const found = await findProgram(program);
  if (found !== undefined) return found;
  if ((await findProgram('apt-get')) === undefined) throw new Error(`The tests with Kafka need ${program}. ${NEXT_STEP}`);
  log(`${program} is not installed: installing ${debianPackage} with apt-get`);
  try {
    await run('apt-get', ['-qq', 'update']);
    await run('apt-get', ['-qq', '-y', '--no-install-recommends', 'install', debianPackage]);
  } catch (cause) {
    throw new Error(`${debianPackage} could not be installed. ${NEXT_STEP}`, { cause });
  }
  return (await findProgram(program)) ?? program;
}

async function isWhole(folder: string): Promise<boolean> {
  const jars = await readdir(folder).catch((): string[] => []);
  return LIBRARIES.every(({ artifact, version }) => jars.includes(`${artifact}-${version}.jar`));
}

async function fetchWithMaven(maven: string, folder: string): Promise<void> {
  const aside = `${folder}.${randomUUID()}`;
  try {
    await mkdir(aside, { recursive: true });
    await writeFile(join(aside, 'pom.xml'), projectWith(LIBRARIES));
    await run(maven, ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=.'], aside);
    await rm(folder, { recursive: true, force: true });
    await rename(aside, folder);
  } catch (cause) {
    // Another run may have been quicker: then its folder is as good.
    if (!(await isWhole(folder))) throw new Error(`Kafka could not be fetched. ${NEXT_STEP}`, { cause });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function projectWith(libraries: typeof LIBRARIES): string {
  const dependencies = libraries.map(
    ({ group, artifact, version }) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return [
    '<project><modelVersion>4.0.0</modelVersion>',
    '<groupId>tests</groupId><artifactId>kafka-server</artifactId><version>1</version><packaging>pom</packaging>',
    `<dependencies>${dependencies.join('')}</dependencies></project>`,
  ].join('\n');
}

async function run(command: string, args: readonly string[], cwd?: string): Promise<void> {
  await promisify(execFile)(command, args, { timeout: COMMAND_DEADLINE_MS, ...(cwd === undefined ? {} : { cwd }) });
}
