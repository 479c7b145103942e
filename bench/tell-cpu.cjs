/** `node --require bench/tell-cpu.cjs …` with a fourth pipe: the microseconds of CPU that the process has used, told as it ends. */
const { writeSync } = require('node:fs');

const RESULT_PIPE = 3;

process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  writeSync(RESULT_PIPE, String(user + system));
});
