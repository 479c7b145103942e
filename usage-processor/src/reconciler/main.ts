import { runService } from '@tollgate/service-kit/lifecycle';
import { readConfig } from './config.js';
import { startReconciler } from './service.js';

await runService(process, 'reconciler', () => startReconciler(readConfig(process.env)));
