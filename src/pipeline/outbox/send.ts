import type { Logger, Result, Sender } from '../../api/index.ts';
import { after } from '../../telemetry/timer.ts';
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
