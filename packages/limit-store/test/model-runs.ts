/** How many commands a model test runs; `MODEL_COMMANDS=100000 npx vitest run packages/limit-store` for a thorough one. */
export const MODEL_COMMANDS = Number(process.env['MODEL_COMMANDS'] || 10_000);
/** What a history holds at the least, on average. */
const COMMANDS_A_HISTORY = 10;
export const MODEL_RUNS = Math.ceil(MODEL_COMMANDS / COMMANDS_A_HISTORY);
export const MODEL_TIME = { timeout: 60_000 + 10 * MODEL_COMMANDS };
