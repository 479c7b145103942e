import { runService } from '@tollgate/service-kit/lifecycle';
import { readConfig } from './config.js';
import { startRateLimitService } from './service.js';

await runService(process, 'ratelimit', () => startRateLimitService(readConfig(process.env)));
