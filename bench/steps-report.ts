import { sum } from './machine.js';
import { shownSpread, spreadOf } from './statistics.js';

/** One run of one arrangement. */
export interface StepCost {
  round: number;
  name: string;
  /** CPU per request, by part. */
  micros: Readonly<Record<string, number>>;
  perSecond: number;
  isDisturbed: boolean;
}

const PARTS = ['Envoy', 'authz', 'ratelimit', 'Redis', 'collector'];

/** `costs` in the order in which they ran; the first of each round is what the others are compared with. */
export function stepsReport(costs: readonly StepCost[], about: readonly (readonly [string, string])[]): string {
  const names = [...new Set(costs.map(({ name }) => name))];
  const disturbed = costs.filter(({ isDisturbed }) => isDisturbed).length;
  return `${[
    '# What does each part of the gateway cost?',
    'CPU time per request in microseconds at full speed: median of the rounds. The ratio is to Envoy alone in the same round (least–most).',
    [
      `| arrangement | ${PARTS.join(' | ')} | all | ratio | requests a second |`,
      `|---|${PARTS.map(() => '---:|').join('')}---:|---:|---:|`,
      ...names.map((name) => row(name, costs)),
    ].join('\n'),
    [
      '- Envoy alone runs twice: what differs between the two is noise.',
      '- The writer and PostgreSQL follow at their own pace and are not counted here.',
      ...(disturbed > 0 ? [`- **The machine was not calm**: ${disturbed} of ${costs.length} runs were disturbed.`] : []),
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function row(name: string, costs: readonly StepCost[]): string {
  const own = costs.filter((cost) => cost.name === name);
  const total = ({ micros }: StepCost): number => sum(Object.values(micros));
  const ratios = own.map((cost) => total(cost) / total(costs.find(({ round }) => round === cost.round) as StepCost));
  const ofPart = (part: string): string => {
    const values = own.flatMap(({ micros }) => micros[part] ?? []);
    return values.length === 0 ? '' : spreadOf(values).median.toFixed(0);
  };
  const cells = [
    name,
    ...PARTS.map(ofPart),
    spreadOf(own.map(total)).median.toFixed(0),
    shownSpread(ratios, 2),
    spreadOf(own.map(({ perSecond }) => perSecond)).median.toFixed(0),
  ];
  return `| ${cells.join(' | ')} |`;
}
