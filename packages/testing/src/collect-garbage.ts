import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** A whole, major collection of this thread's heap. Node.js needs no option for it. */
export const collectGarbage = runInNewContext('gc') as () => void;
