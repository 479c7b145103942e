import { listPlans } from '@tollgate/postgres/plans';
import type { Command } from '../command.js';
import { PLAN_VIEW, planRow } from '../plan-view.js';

export const planList: Command = {
  noun: 'plan',
  verb: 'list',
  describe: 'Lists the plans, smallest first.',
  example: 'tollgate plan list',
  async run(_args, { database, output }) {
    output.list((await listPlans(await database())).map(planRow), PLAN_VIEW);
  },
};
