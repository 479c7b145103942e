import { runService } from '@tollgate/service-kit/lifecycle';
import { readConfig } from './config.js';
import { startDemoUpstream } from './service.js';

await runService(process, 'demo-upstream', () => startDemoUpstream(readConfig(process.env).listen));
