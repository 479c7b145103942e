import type { Command } from '../command.js';
import { configRender } from './config-render.js';
import { configValidate } from './config-validate.js';
import { countersExplain } from './counters-explain.js';
import { countersGet } from './counters-get.js';
import { countersReset } from './counters-reset.js';
import { doctor } from './doctor.js';
import { keyCreate } from './key-create.js';
import { keyExport } from './key-export.js';
import { keyGet } from './key-get.js';
import { keyImport } from './key-import.js';
import { keyList } from './key-list.js';
import { keyRevoke } from './key-revoke.js';
import { keyRotate } from './key-rotate.js';
import { keyVerify } from './key-verify.js';
import { limitsClear } from './limits-clear.js';
import { limitsGet } from './limits-get.js';
import { limitsSet } from './limits-set.js';
import { migrateDown } from './migrate-down.js';
import { migrateStatus } from './migrate-status.js';
import { migrateUp } from './migrate-up.js';
import { orgCreate } from './org-create.js';
import { orgGet } from './org-get.js';
import { orgHistory } from './org-history.js';
import { orgList } from './org-list.js';
import { orgResume } from './org-resume.js';
import { orgSuspend } from './org-suspend.js';
import { orgUpdate } from './org-update.js';
import { planList } from './plan-list.js';
import { planSet } from './plan-set.js';
import { usageDeadLettersList } from './usage-dead-letters-list.js';
import { usageDeadLettersReplay } from './usage-dead-letters-replay.js';
import { usageReconcile } from './usage-reconcile.js';
import { usageShow } from './usage-show.js';
import { usageTail } from './usage-tail.js';

/** In the order in which help and documentation show them. */
export const COMMANDS: readonly Command[] = [
  orgCreate,
  orgList,
  orgGet,
  orgUpdate,
  orgSuspend,
  orgResume,
  orgHistory,
  keyCreate,
  keyList,
  keyGet,
  keyRevoke,
  keyRotate,
  keyVerify,
  keyImport,
  keyExport,
  planList,
  planSet,
  limitsGet,
  limitsSet,
  limitsClear,
  countersGet,
  countersReset,
  countersExplain,
  usageShow,
  usageTail,
  usageReconcile,
  usageDeadLettersList,
  usageDeadLettersReplay,
  migrateUp,
  migrateDown,
  migrateStatus,
  configRender,
  configValidate,
  doctor,
];

/** Verbs of two words stand under the first of them. */
export const VERB_GROUPS: Readonly<Record<string, string>> = {
  'usage dead-letters': 'What could not become usage.',
};

export const NOUNS: Readonly<Record<string, string>> = {
  org: 'Organizations: who uses the API, and on which plan.',
  key: 'API keys.',
  plan: 'Plans: named limits.',
  limits: 'Limits of an organization or a key.',
  counters: 'What is counted against limits.',
  usage: 'What was used.',
  migrate: "The database's schema.",
  config: 'The configuration of Envoy.',
};
