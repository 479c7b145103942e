import type { TakeRequest, TakeResult } from '../../src/limit-store.js';
import { resultsFrom, scriptArguments } from '../../src/redis/take-script.js';

/** What the script is given for one take alone. */
export const argumentsOf = (take: TakeRequest) => scriptArguments([take]);

/** What it answered to that. */
export const resultOf = (reply: unknown, take: TakeRequest) => resultsFrom(reply, [take])[0] as TakeResult;
