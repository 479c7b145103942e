import { runService } from '@tollgate/service-kit/lifecycle';
import { readConfig } from './config.js';
import { startCollector } from './service.js';

await runService(process, 'collector', () => startCollector(readConfig(process.env)));
