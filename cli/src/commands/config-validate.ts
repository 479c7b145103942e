import { textArgument } from '../arguments.js';
import { CliError, EXIT, Unhappy, wrongUse } from '../cli-error.js';
import type { Command, Context } from '../command.js';
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
    ratelimit: {
      type: 'string',
      value: 'PATH',
      describe: 'What RATELIMIT_CONFIG names: rules in the YAML of envoyproxy/ratelimit, a file or a folder.',
    },
  },
  formats: ['table', 'json', 'csv'],
  async run(args, context) {
    const [envoyFile, rulesPath] = [textArgument(args, 'envoy'), textArgument(args, 'ratelimit')];
    if ((envoyFile === undefined) === (rulesPath === undefined))
      throw wrongUse('Say what to look at, one of the two: --envoy FILE or --ratelimit PATH.');
    const isValid =
      envoyFile === undefined ? await validateRules(rulesPath ?? '', context) : await validateEnvoy(envoyFile, context);
    if (!isValid) throw new Unhappy();
  },
};

async function validateEnvoy(path: string, { config, output }: Context): Promise<boolean> {
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
  return problems.length === 0;
}

/** Rules are read as the service reads them. */
async function validateRules(path: string, { output }: Context): Promise<boolean> {
  const [{ readRuleFiles }, { readRuleSet }] = await Promise.all([
    import('@tollgate/descriptor-limits/read-rule-files'),
    import('@tollgate/descriptor-limits/rule-set'),
  ]);
  const found = await readRuleFiles(path);
  if (found.kind === 'unreadable') throw new CliError('unreadable', EXIT.failed, found.problems.join(' '));
  const read = readRuleSet(found.files);
  const [problems, rules] = read.kind === 'rules' ? [[], read.ruleCount] : [read.problems, null];
  const domains = read.kind === 'rules' ? [...read.rules.keys()].toSorted() : null;
  output.one({ path, valid: problems.length === 0, domains, rules, problems }, RULES_VIEW);
  return problems.length === 0;
}

const VIEW: View = {
  columns: [
    { title: 'File', value: (row) => plain(row['file']) },
    { title: 'Valid', value: (row) => (row['valid'] === true ? 'yes' : 'no') },
    { title: 'Asked', value: (row) => (row['envoy_version'] === null ? 'no Envoy' : `Envoy ${plain(row['envoy_version'])}`) },
    { title: 'Problems', value: problemsOf },
  ],
  fields: ['file', 'valid', 'envoy_version', 'problems'],
};

const RULES_VIEW: View = {
  columns: [
    { title: 'Path', value: (row) => plain(row['path']) },
    { title: 'Valid', value: (row) => (row['valid'] === true ? 'yes' : 'no') },
    { title: 'Domains', value: (row) => ((row['domains'] as string[] | null) ?? ['-']).map(plain).join(', ') },
    { title: 'Rules', value: (row) => plain(row['rules'] ?? '-') },
    { title: 'Problems', value: problemsOf },
  ],
  fields: ['path', 'valid', 'domains', 'rules', 'problems'],
};

function problemsOf(row: Row): string {
  const problems = row['problems'] as string[];
  return problems.length === 0 ? 'none' : problems.map(plain).join('\n          ');
}
