import { KEEP, type Plain, type Stage } from 'flamegate/api';

interface Config {
  readonly mark: string;
  readonly edit: boolean;
  readonly note: string;
}

const stage: Stage<Config, Plain> =
  ({ mark, edit, note }) =>
  ({ attributes }, columns) => {
    fail(String(attributes.get('trial') ?? ''));
    if (edit || attributes.get('trial') === 'edit') columns.edited = true;
    if (attributes.get('trial') === 'strange note') return { keep: true, notes: [(() => 0) as never] };
    if (attributes.get('trial') === 'leak') leaked.push(new Uint8Array(1 << 20).fill(1));
    if (attributes.get('trial') === 'drop') return { keep: false, reason: 'trial' };
    if (attributes.get('trial') === 'drop at 2' && columns.timeNanos === 2n) return { keep: false, reason: 'trial' };
    const noted = note === '' ? undefined : attributes.get(note);
    if (mark === '' && noted === undefined) return KEEP;
    return {
      keep: true,
      ...(mark !== '' && { set: new Map([['mark', `${attributes.get('mark') ?? ''}${mark}`]]) }),
      ...(noted !== undefined && { notes: [noted] }),
    };
  };
export default stage;

/** What a leaking stage keeps beyond its call, against the contract. */
const leaked: Uint8Array[] = [];

function fail(how: string): void {
  if (how === 'throw') throw new Error('thrown on purpose');
  if (how === 'loop') for (;;);
  if (how === 'exit') process.exit(3);
  const kept: unknown[] = [];
  if (how === 'heap') for (;;) kept.push(Array.from({ length: 1000 }, (_, n) => ({ n })));
  if (how === 'buffers') for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
}
