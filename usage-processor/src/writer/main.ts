import { runService } from '@tollgate/service-kit/lifecycle';
import { readConfig } from './config.js';
import { startWriter } from './service.js';

await runService(process, 'writer', () => startWriter(readConfig(process.env)));
