/** docs/reliability.md as text. */
import { lineOf, shown } from './judge.js';
import type { Provenance, Results } from './report.js';
import type { Soak } from './soak/soak-report.js';
import { isBad } from './summary.js';

type Result = Results['faults'][number];

const INTRODUCTION = `# Reliability, as it was measured

This page is made by \`npm run proof\` and \`npm run soak\` from what they measured; nobody writes it by hand. \`npm run proof\` starts the
gateway on real servers (Envoy, PostgreSQL, Redis, Kafka; two of each deciding service, each its own process), sends requests at a
steady rate, makes one part fail, and counts at both ends by unique ids. Then it does so again with one protection switched off:
that mutant must be found out, or the proof proves nothing. Figures hold for the commit, the machine and the load that they name,
and for no other. Envoy's own deadlines are widened here, so that a busy machine is not counted as a failure; the times show what the usual ones would have met.`;

export function reliabilityPage(results: Results | undefined, soak: Soak | undefined): string {
  const parts = [
    INTRODUCTION,
    ...(results === undefined ? ['No run is on record: `npm run proof` makes one.'] : faultsOf(results)),
  ];
  return `${[...parts, '## Soak', soak === undefined ? 'No run is on record: `npm run soak` makes one.' : soakOf(soak)].join('\n\n')}\n`;
}

function faultsOf({ faults, missing }: Results): string[] {
  return [
    '## Faults',
    `${outcomeOf(faults)} ${runsOf(faults.map(({ ran }) => ran))} A fault whose commit is not the one that you run says nothing of yours: run it again.`,
    ...(missing.length === 0 ? [] : [`On no record yet: ${missing.map(({ id, title }) => `${id} (${title})`).join(', ')}.`]),
    [
      '| fault | | N | lost | doubled | wrong | P50 | P99 | P99.9 | recovery | mutant | commit |',
      '|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|',
      ...faults.map(rowOf),
    ].join('\n'),
    'Times are milliseconds, P50 to P99.9 those of requests with good keys at their callers while the part is away. "-" was not taken.',
    ...faults.map(detailsOf),
  ];
}

function outcomeOf(faults: readonly Result[]): string {
  const bad = faults.filter(isBad).map(({ id }) => id);
  const idle = faults.filter(({ outcome }) => outcome === 'not run').map(({ id }) => id);
  const held = `${faults.length - bad.length - idle.length} of ${faults.length} faults held, with their mutants found out.`;
  const broken = bad.length === 0 ? [] : [`**Did not hold: ${bad.join(', ')}.**`];
  return [held, ...broken, ...(idle.length === 0 ? [] : [`Not run: ${idle.join(', ')}.`])].join(' ');
}

function runsOf(ran: readonly Provenance[]): string {
  const runs = new Set(ran.map(({ commit, date, machine }) => `commit ${commit} on ${date}, on ${machine}`));
  return `Measured at ${[...runs].join('; ')}.`;
}

function rowOf({ id, title, outcome, figures, mutant, ran }: Result): string {
  const cell = (name: string): string => {
    const value = figures?.[name];
    return value === undefined || value === null || Number.isNaN(value) ? '-' : shown(value);
  };
  const columns = ['n', 'lost', 'doubled', 'wrong', 'p50Ms', 'p99Ms', 'p999Ms', 'recoveryMs'].map(cell);
  return `| ${[`${id} ${title}`, outcome, ...columns, mutant.outcome, ran.commit].join(' | ')} |`;
}

function detailsOf({ id, title, promise, outcome, reason, checks = [], mutant, seed, seconds, ran }: Result): string {
  const held = checks.map(lineOf);
  const found = `Mutant: ${mutant.title}: ${mutant.outcome}${foundBy(mutant, checks)}.`;
  const about = `Seed ${seed}, ${ran.rate} requests/s, ${seconds} s, load average ${ran.load}.`;
  const end = reason === undefined ? [] : [`${outcome}: ${reason}`];
  return [`### ${id} ${title}`, promise, ...end, held.join('\n'), `${found} ${about}`].filter((part) => part !== '').join('\n\n');
}

function foundBy({ outcome, breaks, measured, reason }: Result['mutant'], checks: Result['checks'] = []): string {
  if (outcome !== 'found out') return reason === undefined ? '' : ` (${reason})`;
  const { what = breaks } = checks.find(({ figure }) => figure === breaks) ?? {};
  return ` by "${what}": ${shown(measured ?? Number.NaN)}`;
}

function soakOf({ minutes, ran, outcome, reason, faults, checks }: Soak): string {
  const about = `${minutes} minutes at ${ran.rate} requests/s, with ${faults.length} faults in turn (${[...new Set(faults)].join(', ')}): **${outcome}**.`;
  const end = reason === undefined ? [] : [`It ended early: ${reason}`];
  return [`${about} ${runsOf([ran])}`, ...end, checks.map(lineOf).join('\n')].join('\n\n');
}
