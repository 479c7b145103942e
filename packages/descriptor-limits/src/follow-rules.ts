import { watchContent } from '@tollgate/service-kit/content-watch';
import { type RuleFiles, readRuleFiles, ruleFilesFingerprint } from './read-rule-files.js';
import type { RuleSet } from './rule.js';
import { type RuleSetRead, readRuleSet } from './rule-set.js';

/** The rules at the start are wrong: there are no last good ones. */
export class RulesRefused extends Error {
  override readonly name = 'RulesRefused';

  constructor(readonly problems: readonly string[]) {
    super(`The rules are refused:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

export interface FollowedRules {
  /** Those in force. */
  rules(): RuleSet;
  ruleCount(): number;
  /** What is wrong with the files as they are now; empty where they are in force. */
  problems(): readonly string[];
  close(): void;
}

export interface FollowRulesOptions {
  /** A file, or a folder with files. */
  path: string;
  /** How long between two looks; a change is in force after two. Default 1,000. */
  everyMs?: number;
  /** New files are in force. */
  onLoaded: (ruleCount: number) => void;
  /** New files are refused, and the last good ones stay in force. Told once of each content. */
  onKept: (problems: readonly string[]) => void;
}

/** Reads rules and follows them as their files change. Throws RulesRefused where there are no good ones to begin with. */
export async function followRules({ path, everyMs = 1_000, onLoaded, onKept }: FollowRulesOptions): Promise<FollowedRules> {
  const files = await readRuleFiles(path);
  const read = rulesOf(files);
  if (read.kind === 'refused') throw new RulesRefused(read.problems);
  let inForce = read;
  let problems: readonly string[] = [];
  let refused = ''; // the fingerprint of what `problems` are about

  const watch = watchContent<RuleFiles>({
    everyMs,
    read: () => readRuleFiles(path),
    fingerprintOf: ruleFilesFingerprint,
    fingerprint: ruleFilesFingerprint(files),
    takeUp(found) {
      const fingerprint = ruleFilesFingerprint(found);
      if (fingerprint === refused) return problems; // as long as it lies there it is asked at each look
      const next = rulesOf(found);
      problems = next.kind === 'refused' ? next.problems : [];
      refused = next.kind === 'refused' ? fingerprint : '';
      if (next.kind === 'rules') {
        inForce = next;
        onLoaded(next.ruleCount);
      }
      return problems;
    },
    onKept,
    onBack() {
      problems = [];
      refused = '';
    },
  });
  return {
    rules: () => inForce.rules,
    ruleCount: () => inForce.ruleCount,
    problems: () => problems,
    close: () => watch.close(),
  };
}

function rulesOf(found: RuleFiles): RuleSetRead {
  return found.kind === 'files' ? readRuleSet(found.files) : { kind: 'refused', problems: [...found.problems] };
}
