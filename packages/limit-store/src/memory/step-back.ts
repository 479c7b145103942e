/**
 * A clock that went back by up to this much gives nothing twice; one that went back further had been wrong, and counting
 * goes on from the new time. The same in redis/take.lua.
 */
export const STEP_BACK_MS = 60_000;
