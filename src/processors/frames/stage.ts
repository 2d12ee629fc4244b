// Loaded by workers only, so it takes the contract without the config library behind it.
import { KEEP, type Stage } from '../../api/stage.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { pseudonym } from '../../model/pseudonym.ts';
import { Regex } from '../../wire/regex.ts';
import { collapse } from './collapse.ts';
import type { Config, Rule } from './config.ts';
import { drop } from './drop.ts';
import { lineMatcher } from './match.ts';
import { hideUnnamed, redact } from './redact.ts';
import { rename } from './rename.ts';

type Edit = (columns: Columns) => void;

/** Values are never touched: whatever becomes of a stack, its sample stays. */
const frames: Stage<Config> = config => {
  const edits = config.rules.map(rule => editOf(rule, config));
  const secrets = config.rules.filter(({ action }) => action === 'redact').map(({ match }) => new Regex(match));
  return (_profile, columns) => {
    for (const edit of edits) edit(columns);
    if (secrets.length > 0) hideUnnamed(columns, secrets);
    return KEEP;
  };
};
export default frames;

function editOf({ action, match, field, replacement, name, hash }: Rule, { other, hash_salt }: Config): Edit {
  const regex = new Regex(match);
  switch (action) {
    case 'drop':
      return columns => drop(columns, lineMatcher(columns, field, regex), other);
    case 'collapse':
      return columns => collapse(columns, lineMatcher(columns, field, regex), name!);
    case 'rename':
      return columns => rename(columns, field, regex, replacement!);
    case 'redact': {
      const write = hash ? (text: string) => pseudonym(text, hash_salt) : () => name ?? 'redacted';
      return columns => redact(columns, field, regex, write);
    }
  }
}
