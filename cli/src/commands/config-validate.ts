import { textArgument } from '../arguments.js';
import { CliError, EXIT, Unhappy, wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { installedEnvoy } from '../installed-envoy.js';
import { plain } from '../printable.js';
import { readTextFile } from '../text-file.js';
import type { Row, View } from '../view.js';

export const configValidate: Command = {
  noun: 'config',
  verb: 'validate',
  describe: 'Says what is wrong with a configuration; exit code 1 where something is. Asks an Envoy too where one is installed.',
  example: 'tollgate config validate --envoy envoy.yaml',
  options: {
    envoy: { type: 'string', value: 'FILE', describe: 'An Envoy configuration.' },
    ratelimit: { type: 'string', value: 'PATH', describe: 'Rate limit configuration. Not supported in this version.' },
  },
  formats: ['table', 'json', 'csv'],
  async run(args, { config, output }) {
    if (textArgument(args, 'ratelimit') !== undefined)
      throw new CliError('not_supported', EXIT.failed, '--ratelimit is not supported in this version.');
    const path = textArgument(args, 'envoy');
    if (path === undefined) throw wrongUse('Say what to look at: --envoy FILE.');
    const text = await readTextFile(path);
    const { envoyPath, cacheFolder } = await config();
    const [envoy, { validateEnvoyConfig }] = await Promise.all([
      installedEnvoy(envoyPath, cacheFolder),
      import('@tollgate/envoy-config/validate-envoy-config'),
    ]);
    const problems = await validateEnvoyConfig(text, envoy?.path);
    if (envoy === undefined)
      output.say(
        'No Envoy is installed here, so none was asked: put one on the PATH, name one with ENVOY_PATH, or run npm start once.',
      );
    output.one({ file: path, valid: problems.length === 0, envoy_version: envoy?.version ?? null, problems }, VIEW);
    if (problems.length > 0) throw new Unhappy();
  },
};

const VIEW: View = {
  columns: [
    { title: 'File', value: (row) => plain(row['file']) },
    { title: 'Valid', value: (row) => (row['valid'] === true ? 'yes' : 'no') },
    { title: 'Asked', value: (row) => (row['envoy_version'] === null ? 'no Envoy' : `Envoy ${plain(row['envoy_version'])}`) },
    { title: 'Problems', value: problemsOf },
  ],
  fields: ['file', 'valid', 'envoy_version', 'problems'],
};

function problemsOf(row: Row): string {
  const problems = row['problems'] as string[];
  return problems.length === 0 ? 'none' : problems.map(plain).join('\n          ');
}
