// Loaded by workers only, so it takes the contract without the config library behind it.
import { KEEP, type Stage } from '../../api/stage.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { pseudonym } from '../../model/pseudonym.ts';
import { Regex } from '../../wire/regex.ts';
import type { Action, Config } from './config.ts';

type Edit = (columns: Columns) => void;

const labels: Stage<Config> = ({ actions, hash_salt }) => {
  const edits = actions.map(action => editOf(action, hash_salt));
  return (_profile, columns) => {
    for (const edit of edits) edit(columns);
    return KEEP;
  };
};
export default labels;

function editOf({ action, key, value, to, match }: Action, salt: string | undefined): Edit {
  const regex = match === undefined ? undefined : new Regex(match);
  switch (action) {
    case 'set':
      return regex ? replaceWhere(key, regex, () => value!) : setOnAll(key, value!);
    case 'hash':
      return replaceWhere(key, regex, text => pseudonym(text, salt));
    case 'delete':
      return columns =>
        onLabels(columns, key, regex, (sample, chosen) => {
          columns.removeLabels(sample, chosen);
        });
    case 'rename':
      return renameWhere(key, to!, regex);
  }
}

function setOnAll(key: string, value: string): Edit {
  return columns => {
    const { strings, samples } = columns;
    if (samples.count === 0) return;
    const known = columns.labelKey(key);
    const keyRow = known < 0 ? strings.append(key) : known;
    const valueRow = strings.intern(value);
    for (let sample = 0; sample < samples.count; sample++) columns.setLabel(sample, keyRow, valueRow);
  };
}

/** Puts a text that is made of the old value in its place: made once per distinct text. */
function replaceWhere(key: string, regex: Regex | undefined, make: (text: string) => string): Edit {
  return columns => {
    const { labels, strings } = columns;
    const made = new Map<string, number>();
    const rowFor = (text: string) => {
      const row = made.get(text) ?? strings.intern(make(text));
      made.set(text, row);
      return row;
    };
    onLabels(columns, key, regex, (sample, chosen) => {
      for (let label = columns.samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!) {
        if (!chosen(label)) continue;
        columns.setLabelText(label, rowFor(columns.labelText(label)));
      }
    });
  };
}

function renameWhere(key: string, to: string, regex: Regex | undefined): Edit {
  return columns => {
    const { labels, samples } = columns;
    let toRow = key === to ? -1 : columns.labelKey(to);
    onLabels(columns, key, regex, (sample, chosen) => {
      if (key === to) return;
      let any = false;
      for (let label = samples.firstLabel[sample]!; label !== 0 && !any; label = labels.next[label]!)
        any = chosen(label);
      if (!any) return;
      if (toRow < 0) toRow = columns.strings.append(to);
      columns.deleteLabel(sample, toRow);
      for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!)
        if (chosen(label)) labels.key[label] = toRow;
      columns.edited = true;
    });
  };
}

/** Calls `act` for every sample with a test for the labels of this key whose value matches; not at all where there is no such key. */
function onLabels(
  columns: Columns,
  key: string,
  regex: Regex | undefined,
  act: (sample: number, chosen: (label: number) => boolean) => void,
): void {
  const keyRow = columns.labelKey(key);
  if (keyRow < 0) return;
  const { labels, samples } = columns;
  const matches = regex && matcherOf(columns, regex);
  const chosen = matches
    ? (label: number) => labels.key[label] === keyRow && matches(label)
    : (label: number) => labels.key[label] === keyRow;
  for (let sample = 0; sample < samples.count; sample++) if (samples.firstLabel[sample] !== 0) act(sample, chosen);
}

/** Whether the value of a label matches: asked once per distinct text. */
function matcherOf(columns: Columns, regex: Regex): (label: number) => boolean {
  const known = new Map<string | number, boolean>();
  return label => {
    const row = columns.labels.text[label]!;
    const value = row === 0 ? columns.labelText(label) : row;
    let matches = known.get(value);
    if (matches === undefined) {
      matches = regex.test(columns.labelText(label));
      known.set(value, matches);
    }
    return matches;
  };
}
