/** `npm run soak`: half an hour of load with faults in turn; see proof/soak/main.ts. */
import { runBeside } from './run-beside.mjs';

await runBeside('soak', 'proof/soak/main.ts');
