import { ACCEPTED, type Logger, type Result, type Sender } from '../../api/index.ts';
import type { ProfileBatch } from '../../model/batch.ts';
import { after } from '../../telemetry/timer.ts';
import type { Converter, Failed, Ready } from './convert.ts';
import type { AnyBatch } from './store.ts';

/** One try, which `abort` or the time limit ends. Never rejects. @param of.timeoutMs 0 is no limit */
export async function sendOnce(
  sender: Sender<never>,
  batch: AnyBatch,
  { timeoutMs, abort, log }: { readonly timeoutMs: number; readonly abort: AbortSignal; readonly log: Logger },
): Promise<Result<AnyBatch>> {
  const attempt = new AbortController();
  const cut = () => attempt.abort(abort.reason);
  if (abort.aborted) cut();
  else abort.addEventListener('abort', cut, { once: true });
  // Made only when it is needed: an Error collects a stack, and nearly every request is in time.
  let late: Error | undefined;
  const expire = () => {
    late = new Error(`no answer within ${timeoutMs} ms`);
    attempt.abort(late);
  };
  const callOff = timeoutMs > 0 ? after(timeoutMs, expire) : undefined;
  try {
    const result = (await sender.send(batch as never, attempt.signal)) as Result<AnyBatch>;
    if (result.kind === 'retryable' && late) return { ...result, error: late };
    return result;
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    log.error('exporter threw, this is a bug', { error, stack: true });
    return { kind: 'permanent', error, fault: 'gateway' };
  } finally {
    callOff?.();
    abort.removeEventListener('abort', cut);
  }
}

/** What a try came to. `asked` is false where the store had no part in it: its gate must not hear of it. */
export interface Tried {
  readonly result: Result<AnyBatch>;
  readonly asked: boolean;
  /** What goes no further though the rest of the batch does, or is still owed without it. */
  readonly failed?: readonly Failed[];
}

/**
 * One try of profiles that may have to be converted first. What cannot be is answered for beside the rest: a drop where the store took
 * others, permanent where nothing is left. `rest` of a retryable answer is what was converted, so that nothing goes out twice.
 */
export async function sendConverted(
  converter: Converter,
  batch: ProfileBatch,
  send: (ready: AnyBatch) => Promise<Result<AnyBatch>>,
  abort: AbortSignal,
): Promise<Tried> {
  const ready = await converter.ready(batch, abort);
  if (ready instanceof Error) return { result: { kind: 'retryable', error: ready }, asked: false };
  try {
    return await sendReady(converter, ready, send);
  } finally {
    ready.leave();
  }
}

async function sendReady(
  converter: Converter,
  { batch, failed, losses }: Ready,
  send: (ready: AnyBatch) => Promise<Result<AnyBatch>>,
): Promise<Tried> {
  const asked = batch.profiles.length > 0;
  if (!asked && failed.length > 0) {
    const error = new Error(`cannot be converted: ${failed[0]!.message}`);
    return { result: { kind: 'permanent', error, fault: 'sender' }, asked };
  }
  // Nothing to send is delivered: resources without a sample.
  const result = asked ? await send(batch) : ACCEPTED;
  if (result.kind === 'accepted') {
    converter.told(losses);
    const drops = failed.map(({ message }) => ({ items: 1, reason: 'conversion_failed', message }));
    if (drops.length > 0)
      return { result: { kind: 'accepted', drops: [...(result.drops ?? []), ...drops] }, asked, failed };
  } else if (result.kind === 'retryable' && result.rest) {
    // The next try gets what was converted by this one.
    converter.told(losses);
    converter.dropped(failed);
    return { result, asked, failed };
  }
  return { result, asked };
}
