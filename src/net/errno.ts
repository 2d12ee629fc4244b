// What a failed connection means, by error code. The one place that knows them.

interface Meaning {
  /** Whether the same request may work later. */
  readonly retryable: boolean;
  readonly text: string;
}

const MEANINGS: Record<string, Meaning> = {
  ECONNREFUSED: { retryable: true, text: 'connection refused' },
  ECONNRESET: { retryable: true, text: 'connection reset' },
  ECONNABORTED: { retryable: true, text: 'connection aborted' },
  EPIPE: { retryable: true, text: 'connection closed while sending' },
  ETIMEDOUT: { retryable: true, text: 'connection timed out' },
  EHOSTUNREACH: { retryable: true, text: 'host unreachable' },
  ENETUNREACH: { retryable: true, text: 'network unreachable' },
  EAI_AGAIN: { retryable: true, text: 'name server does not answer' },
  // A name that does not exist yet is how a service that is being deployed looks.
  ENOTFOUND: { retryable: true, text: 'host name not found' },
  EMFILE: { retryable: true, text: 'this process has too many open files' },
  CONNECT_TIMEOUT: { retryable: true, text: 'connection timed out' },
  CONNECTION_CLOSED: { retryable: true, text: 'connection closed by the other side' },
  ANSWER_MALFORMED: { retryable: true, text: 'what answers there does not speak HTTP/1.1' },
  ANSWER_TOO_LARGE: { retryable: false, text: 'the answer is larger than it may be' },
  // An operator must act, but on the store's side or ours, and the data is good: keep it.
  CERT_HAS_EXPIRED: { retryable: true, text: 'certificate of the store has expired' },
  DEPTH_ZERO_SELF_SIGNED_CERT: { retryable: true, text: 'certificate of the store is self-signed; set tls.ca_file' },
  SELF_SIGNED_CERT_IN_CHAIN: { retryable: true, text: 'certificate of the store is not trusted; set tls.ca_file' },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    retryable: true,
    text: 'certificate of the store is not trusted; set tls.ca_file',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    retryable: true,
    text: 'certificate of the store is for another name; set tls.server_name_override',
  },
};

/** Classifies what a client library threw; unknown errors count as retryable, since the data is not at fault. */
export function classify(thrown: unknown): { retryable: boolean; error: Error } {
  const cause = thrown instanceof AggregateError && thrown.errors.length > 0 ? (thrown.errors[0] as unknown) : thrown;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const meaning = MEANINGS[code];
  const text = meaning?.text ?? (cause instanceof Error ? cause.message : String(cause));
  return {
    retryable: meaning?.retryable ?? true,
    error: new Error(code === '' ? text : `${text} (${code})`, { cause: thrown }),
  };
}
