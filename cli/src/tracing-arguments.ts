import type { TracingOptions } from '@tollgate/envoy-config/options';
import { flagArgument, listArgument, textArgument } from './arguments.js';
import { wrongUse } from './cli-error.js';
import type { Arguments, Option } from './command.js';
import { quoted } from './printable.js';

/** The options of Envoy's own spans. A token stands neither on the command line nor in what is printed. */
export const TRACING_OPTIONS = {
  'otlp-endpoint': {
    type: 'string',
    value: 'URL',
    describe: 'Where Envoy sends its spans, by OTLP over HTTP, such as http://collector:4318; without it there are none.',
  },
  'otlp-header': {
    type: 'string',
    value: 'NAME=VARIABLE',
    array: true,
    describe: "A header of what is sent there, and the variable of Envoy's environment that holds its value. May be repeated.",
  },
  'trace-share': {
    type: 'string',
    value: 'SHARE',
    describe: 'Of requests without a traceparent, how many are traced: 0 to 1; default: 1.',
  },
  'trace-restart': {
    type: 'boolean',
    describe: 'Every trace begins at the gateway: what callers say in traceparent is dropped. Without it, it is followed.',
  },
} satisfies Record<string, Option>;

/** Undefined without an endpoint. Throws a CliError for what cannot be read, and for what has no sense without it. */
export function tracingArguments(args: Arguments): TracingOptions | undefined {
  const endpoint = textArgument(args, 'otlp-endpoint');
  const headers = listArgument(args, 'otlp-header');
  const sampledShare = shareArgument(args);
  const isRestarted = flagArgument(args, 'trace-restart');
  if (endpoint !== undefined)
    return { endpoint, headers: headers && Object.fromEntries(headers.map(headerOf)), sampledShare, isRestarted };
  if (headers !== undefined || sampledShare !== undefined || isRestarted)
    throw wrongUse('--otlp-header, --trace-share and --trace-restart need --otlp-endpoint: without it nothing is traced.');
  return undefined;
}

function headerOf(text: string): [name: string, variable: string] {
  const [, name, variable] = /^([^=]+)=([A-Za-z_][A-Za-z0-9_]*)$/.exec(text.trim()) ?? [];
  // Not repeated: what stands there may be the secret itself.
  if (name === undefined || variable === undefined)
    throw wrongUse('--otlp-header takes NAME=VARIABLE: the value itself stands in that variable, where Envoy runs.');
  return [name.toLowerCase(), variable];
}

function shareArgument(args: Arguments): number | undefined {
  const text = textArgument(args, 'trace-share');
  if (text === undefined) return undefined;
  const share = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(share <= 1)) throw wrongUse(`--trace-share takes a number from 0 to 1, such as 0.05, not ${quoted(text)}.`);
  return share;
}
