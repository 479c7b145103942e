/** From what was measured to a page that a person can read. */
export const GOAL_TIMES_THE_RATE = 5;
export const GOAL_MIB = 256;

export interface Absence {
  seconds: number;
  rate: number;
  sent: number;
  /** Events that the collector took and Kafka does not have. */
  lost: number;
  spooled: number;
  /** From when Kafka was back to the first event that was drained, and how fast it went on from there. */
  pauseSeconds: number;
  drainedPerSecond: number;
  largestMib: number;
}

export function absenceReport(absence: Absence, about: readonly (readonly [name: string, value: string])[]): string {
  const { seconds, rate, sent, lost, spooled, pauseSeconds, drainedPerSecond, largestMib } = absence;
  const count = (value: number) => value.toLocaleString('en');
  return `${[
    '# What does the collector do while Kafka is away?',
    `Kafka is killed for ${count(seconds)} s while ${count(rate)} entries a second come; then it is started again, and they go on coming.`,
    [
      `- **Lost: ${count(lost)} of ${count(sent)}** (goal: 0), counted in Kafka by event id`,
      `- **Drained at ${(drainedPerSecond / rate).toFixed(1)} times the rate** (goal: ${GOAL_TIMES_THE_RATE}): ${count(Math.round(drainedPerSecond))} events a second; ${count(spooled)} waited on disk`,
      `- **Largest memory of the collector: ${largestMib.toFixed(0)} MiB** (goal: ${GOAL_MIB})`,
      `- The first was drained ${pauseSeconds.toFixed(1)} s after Kafka took connections again.`,
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}
