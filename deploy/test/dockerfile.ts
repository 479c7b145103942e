/** Follows a Dockerfile without Docker: a folder in the place of each stage's file system. */
import { execFile } from 'node:child_process';
import { cp, mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const RUN_DEADLINE_MS = 300_000;

export interface BuiltImage {
  /** The folder in the place of `/`, which holds only what the Dockerfile put there. */
  root: string;
  workdir: string;
  entrypoint: string[];
  command: string[];
  environment: Record<string, string>;
  user: string;
  /** What the stages are made from. */
  baseImages: string[];
}

interface Instruction {
  word: string;
  rest: string;
}

interface Stage extends BuiltImage {
  name: string;
}

/** The instructions, with continued lines joined. */
export function parseDockerfile(text: string): Instruction[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, '');
  return lines.split('\n').map((line) => {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (word === '') throw new Error(`Not an instruction: ${line}`);
    return { word, rest };
  });
}

/** Runs every stage in `folder`; `context` is the folder that is sent to Docker. Returns the last stage. */
export async function buildImage(dockerfile: string, context: string, folder: string): Promise<BuiltImage> {
  const variables: Record<string, string> = {};
  const stages: Stage[] = [];
  for (const { word, rest } of parseDockerfile(dockerfile)) {
    const stage = stages.at(-1);
    if (word === 'ARG') {
      const [name = '', value = ''] = rest.split('=');
      variables[name] = value;
    } else if (word === 'FROM') {
      stages.push(await newStage(rest, variables, join(folder, `stage-${stages.length}`)));
    } else if (stage === undefined) {
      throw new Error(`${word} stands before the first FROM`);
    } else {
      await follow({ word, rest }, stage, stages, context);
    }
  }
  const last = stages.at(-1);
  if (last === undefined) throw new Error('The Dockerfile has no stage.');
  return last;
}

async function newStage(rest: string, variables: Record<string, string>, root: string): Promise<Stage> {
  const [image = '', , name = ''] = rest.split(/\s+/);
  const baseImage = image.replace(/\$\{(\w+)\}/g, (_, variable: string) => variables[variable] ?? '');
  await mkdir(root, { recursive: true });
  return { name, root, workdir: '/', entrypoint: [], command: [], environment: {}, user: 'root', baseImages: [baseImage] };
}

async function follow({ word, rest }: Instruction, stage: Stage, stages: readonly Stage[], context: string): Promise<void> {
  switch (word) {
    case 'WORKDIR':
      stage.workdir = rest;
      await mkdir(join(stage.root, rest), { recursive: true });
      return;
    case 'ENV': {
      const [name = '', value = ''] = rest.split('=');
      stage.environment[name] = value;
      return;
    }
    case 'COPY':
      return copy(rest, stage, stages, context);
    case 'RUN':
      return run(rest, stage);
    case 'USER':
      stage.user = rest;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(rest) as string[];
      return;
    case 'CMD':
      stage.command = JSON.parse(rest) as string[];
      return;
    default:
      throw new Error(`This test does not know what ${word} does.`);
  }
}

/** As Docker: of a folder its content, of a file the file itself; what is not there is an error. */
async function copy(rest: string, stage: Stage, stages: readonly Stage[], context: string): Promise<void> {
  const words = rest.split(/\s+/);
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  const sourceRoot = from === undefined ? context : stages.find(({ name }) => name === from)?.root;
  if (sourceRoot === undefined) throw new Error(`COPY from a stage that is not there: ${rest}`);
  const target = paths.at(-1) ?? '';
  const isFolder = target.endsWith('/') || paths.length > 2;
  for (const path of paths.slice(0, -1)) {
    const source = join(sourceRoot, path);
    const isFile = (await stat(source)).isFile();
    const destination = join(stage.root, target.startsWith('/') ? '' : stage.workdir, target);
    await cp(source, isFile && isFolder ? join(destination, basename(path)) : destination, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

async function run(command: string, stage: Stage): Promise<void> {
  // Such a path would be one of this machine.
  if (/(^|[\s=])\//.test(command)) throw new Error(`RUN with an absolute path cannot be followed here: ${command}`);
  const options = {
    cwd: join(stage.root, stage.workdir),
    timeout: RUN_DEADLINE_MS,
    // What was fetched for this checkout is the same, and need not be asked for again.
    env: { ...process.env, NODE_OPTIONS: '', npm_config_prefer_offline: 'true', ...stage.environment },
  };
  try {
    await promisify(execFile)('/bin/sh', ['-c', command], options);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`RUN ${command}\n${stdout}\n${stderr}`, { cause: error });
  }
}
