import type { Summary } from './summary.ts';

/** Layouts of OTLP profiles that are read and written. 1.11 is 1.10 on the wire. */
export type WireVersion = '1.8' | '1.9' | '1.10';
/** How an OTLP message is written. */
export type OtlpWire = 'protobuf' | 'json';
export type OtlpSignal = 'profiles' | 'traces';

/** How the bytes of an OTLP request are to be taken. */
export interface OtlpAsked {
  readonly signal: OtlpSignal;
  readonly wire: OtlpWire;
  /** Of profiles in protobuf: the layout, or to tell it from the bytes. */
  readonly version: 'auto' | WireVersion;
  /** `header` leaves samples and tables unread; the next one to read them finds out. */
  readonly validate: 'full' | 'header';
}

/** An OTLP request as it travels inside. */
export interface OtlpReceived {
  /** Other bytes than were given, on the heap: upgraded or transcoded. */
  readonly rewritten?: Uint8Array;
  /** Of profiles that were validated: what each ResourceProfiles says. */
  readonly summaries?: readonly Summary[];
  /** Profiles or spans in it, as a partial success counts them; unknown where nothing was validated. */
  readonly items?: number;
  /** Whether some attribute names a string of the dictionary instead of holding it; unknown where nothing was validated. */
  readonly references?: boolean;
  /** What the layout of this version has no place for, by reason. */
  readonly losses?: readonly { readonly reason: string; readonly items: number }[];
}
