/** `npm run proof`: what holds when parts fail; see proof/main.ts. */
import { runBeside } from './run-beside.mjs';

await runBeside('proof', 'proof/main.ts');
