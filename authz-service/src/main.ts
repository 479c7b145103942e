import { runService } from '@tollgate/service-kit/lifecycle';
import { readConfig } from './config.js';
import { startAuthzService } from './service.js';

await runService(process, 'authz', () => startAuthzService(readConfig(process.env)));
