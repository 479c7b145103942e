import type { Dashboard } from './dashboard.js';
import { GATEWAY } from './gateway.js';
import { LIMITS } from './limits.js';
import { PROCESSES } from './processes.js';
import { USAGE } from './usage.js';

export const DASHBOARDS: readonly Dashboard[] = [GATEWAY, LIMITS, USAGE, PROCESSES];
