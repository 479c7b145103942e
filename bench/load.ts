/** The load generator: wrk, which spends little itself. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '@tollgate/embedded/find-program';

export interface LoadOptions {
  url: string;
  connections: number;
  seconds: number;
  /** The headers of each caller; they take turns. */
  callers: readonly { headers: Readonly<Record<string, string>> }[];
  /** Requests a second, about; as many as are answered where it is not given. */
  rate?: number;
  /** For the script of wrk. */
  folder: string;
}

export interface LoadResult {
  /** Answered in full. Up to `connections` more were cut off at the end. */
  completed: number;
  perSecond: number;
  p50: string;
  p99: string;
  /** Answers other than 2xx and 3xx, and errors of sockets: none in a good run. */
  failures: string[];
}

/** The path of wrk. Throws with what to do where there is none. */
export async function findWrk(): Promise<string> {
  const path = await findProgram('wrk');
  if (path === undefined) throw new Error('The load comes from wrk (Debian: apt-get install wrk, macOS: brew install wrk).');
  return path;
}

/** Keep-alive connections, each with one request at a time. */
export async function runLoad(wrk: string, options: LoadOptions): Promise<LoadResult> {
  const { url, connections, seconds } = options;
  const script = join(options.folder, 'wrk.lua');
  await writeFile(script, scriptOf(options), { mode: 0o600 });
  const args = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`, '--latency'];
  const { stdout } = await promisify(execFile)(wrk, [...args, '--script', script, url], { timeout: (seconds + 30) * 1000 });
  return readReport(stdout);
}

/** Headers stand in a file and not on the command line, where everybody could read the key. */
function scriptOf({ callers, rate, connections }: LoadOptions): string {
  const tables = callers.map(({ headers }) => Object.entries(headers).map(([name, value]) => `["${name}"] = "${value}"`));
  const lines = [
    `local callers = { ${tables.map((fields) => `{ ${fields.join(', ')} }`).join(', ')} }`,
    'local requests, turn = {}, 0',
    'function init() for i, headers in ipairs(callers) do requests[i] = wrk.format(nil, nil, headers) end end',
    'function request() turn = turn % #requests + 1 return requests[turn] end',
  ];
  // Each connection waits so long before its next request; the answer itself takes little beside it.
  if (rate !== undefined) lines.push(`function delay() return ${Math.round((connections / rate) * 1000)} end`);
  return `${lines.join('\n')}\n`;
}

function readReport(report: string): LoadResult {
  const found = (pattern: RegExp): string => {
    const value = pattern.exec(report)?.[1];
    if (value === undefined) throw new Error(`wrk reported something else than expected:\n${report}`);
    return value;
  };
  return {
    completed: Number(found(/(\d+) requests in/)),
    perSecond: Number(found(/Requests\/sec:\s+([\d.]+)/)),
    p50: found(/^\s+50%\s+(\S+)$/m),
    p99: found(/^\s+99%\s+(\S+)$/m),
    failures: report.match(/Non-2xx or 3xx responses: \d+|Socket errors: .*/g) ?? [],
  };
}
