import { setPlan } from '@tollgate/postgres/plans';
import { textArgument } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { LIMIT_OPTIONS, quotaAdvice, requiredLimitsPatch } from '../limits-fields.js';
import { PLAN_VIEW, planRow } from '../plan-view.js';

export const planSet: Command = {
  noun: 'plan',
  verb: 'set',
  positionals: { name: 'The name of the plan.' },
  describe: 'Makes a plan, or changes what is given of one. It holds at once for every organization on it.',
  example: 'tollgate plan set startup --per-minute 500 --burst 750 --per-day 50000',
  options: LIMIT_OPTIONS,
  async run(args, { database, actor, output }) {
    const name = textArgument(args, 'name');
    if (name === undefined) throw wrongUse('Say which plan.');
    const patch = requiredLimitsPatch(args);
    const plan = await setPlan(await database(), name, patch, await actor());
    output.one(planRow(plan), PLAN_VIEW);
    output.say(quotaAdvice(plan));
  },
};
