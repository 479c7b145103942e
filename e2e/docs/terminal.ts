import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { inheritedEnvironment, PROJECT } from '../gateway.js';

const COMMAND_DEADLINE_MS = 60_000;

export interface Ended {
  code: number;
  /** Both outputs, in the order in which a terminal shows them. */
  printed: string;
}

export interface Terminal {
  folder: string;
  run(command: string, env?: Record<string, string>): Promise<Ended>;
}

/** A shell in a folder of its own in which the project is installed, with the gateway of `dataFolder` in it. */
export async function openTerminal(dataFolder: string): Promise<Terminal> {
  const { folder } = await newRunFolder('docs');
  await mkdir(join(folder, 'etc'));
  for (const part of ['node_modules', 'protos']) await symlink(join(PROJECT, part), join(folder, part));
  // A curl that writes to a terminal shows no progress.
  await writeFile(join(folder, 'etc', '.curlrc'), 'silent\nshow-error\n');
  const inherited = inheritedEnvironment();
  const standing = {
    ...inherited,
    PATH: `${join(PROJECT, 'node_modules', '.bin')}:${inherited['PATH']}`,
    DATA_DIR: dataFolder,
    CURL_HOME: join(folder, 'etc'),
    npm_config_update_notifier: 'false',
  };
  return {
    folder,
    run: (command, env = {}) =>
      new Promise((resolve, reject) => {
        const options = { cwd: folder, env: { ...standing, ...env }, timeout: COMMAND_DEADLINE_MS };
        execFile('sh', ['-c', `exec 2>&1\n${command}`], options, (error, printed) => {
          if (error === null) resolve({ code: 0, printed });
          else if (typeof error.code === 'number') resolve({ code: error.code, printed });
          else reject(error);
        });
      }),
  };
}
